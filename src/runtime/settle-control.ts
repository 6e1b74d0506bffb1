import { sizeOf, type Tensor } from '../base/index.ts'
import { copyModel, isControl, knownOf, liftConstants, type Model, type Node, unrollControl } from '../onnx/index.ts'
import { constants } from './constants.ts'
import { dependsOnData } from './data-sizes.ts'
import { trace } from './trace.ts'
import type { Runtime, Values } from './types.ts'

export type SettleControlOptions = {
  /** Which If and Loop nodes may be replaced; all unless said. */
  readonly may?: (node: Node) => boolean
  /** Runs that must agree on the sizes a condition is computed from; none, and only constants settle one. */
  readonly looks: readonly Values[]
}

/**
 * The model with every If and Loop whose course is always the same replaced by what it comes to, and lists of tensors by
 * their elements. A condition on sizes (`squeeze` asks whether an axis is 1) counts where all looks agree and it does not
 * follow from what numbers are fed. The model itself, where it has none; else a copy.
 */
export const settleControl = async (
  original: Model,
  runtime: Runtime,
  { looks, may }: SettleControlOptions,
): Promise<Model> => {
  if (!original.graph.nodes.some(isControl)) return original
  const model = copyModel(original)
  liftConstants(model.graph)
  // What a caller may override by feeding it is no constant. No shapes are given, so nothing is unrolled by a size.
  const fed = new Set(model.graph.defaults)
  const unroll = (found: ReadonlyMap<string, Tensor>) => {
    const constant = (name: string) =>
      fed.has(name) ? undefined : (model.graph.initializers.get(name) ?? found.get(name))
    return unrollControl(knownOf(model, { types: new Map(), constant }), may)
  }
  for (;;) {
    if (unroll(await constants(runtime, model))) continue
    if (looks.length === 0 || !model.graph.nodes.some(isControl)) return model
    if (!unroll(await settled(model, runtime, looks))) return model
  }
}

/** What all looks agree on, of the small values that follow from sizes but not from data. */
const settled = async (
  model: Model,
  runtime: Runtime,
  looks: readonly Values[],
): Promise<ReadonlyMap<string, Tensor>> => {
  const found: Map<string, Tensor>[] = []
  for (const feeds of looks) {
    const shapes = await trace(runtime, model, feeds).catch(() => undefined)
    // A model that takes one size only gives no second opinion.
    if (!shapes) return new Map()
    found.push(await constants(runtime, model, { shapes }))
  }
  const [first, ...others] = found
  const loose = dependsOnData(model.graph, first!)
  return new Map(
    [...first!].filter(
      ([name, tensor]) =>
        !loose.has(name) && sizeOf(tensor.dims) <= 64 && others.every((other) => sameBytes(tensor, other.get(name))),
    ),
  )
}

const sameBytes = (a: Tensor, b: Tensor | undefined): boolean =>
  b !== undefined &&
  a.type === b.type &&
  a.dims.join() === b.dims.join() &&
  a.bytes.every((byte, i) => byte === b.bytes[i])
