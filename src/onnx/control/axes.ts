import type { GraphBuilder } from '../builder.ts'
import type { Known } from './types.ts'

/** Opset from which Squeeze, Unsqueeze and Split take their axes and sizes as inputs. */
const asInputs = 13

/** A node that takes whole numbers as an input named `name`, or as an attribute before opset 13. */
const given = (b: GraphBuilder, { opset }: Known, numbers: readonly number[], name: string) =>
  opset >= asInputs ? { inputs: [b.ints(numbers)], attributes: {} } : { inputs: [], attributes: { [name]: numbers } }

export const squeezed = (b: GraphBuilder, known: Known, x: string, axis: number): string => {
  const { inputs, attributes } = given(b, known, [axis], 'axes')
  return b.op('Squeeze', [x, ...inputs], attributes)
}

export const unsqueezed = (b: GraphBuilder, known: Known, x: string, axis: number): string => {
  const { inputs, attributes } = given(b, known, [axis], 'axes')
  return b.op('Unsqueeze', [x, ...inputs], attributes)
}

/** x in parts of these sizes along an axis. */
export const splitInto = (
  b: GraphBuilder,
  known: Known,
  x: string,
  sizes: readonly number[],
  axis: number,
): string[] => {
  const { inputs, attributes } = given(b, known, sizes, 'split')
  return b.ops('Split', [x, ...inputs], sizes.length, { axis, ...attributes })
}
