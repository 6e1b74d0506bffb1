import { float32Of, sizeOf, type Tensor } from '../base/index.ts'
import { floatOf, intOf, intsOf, type Model, type Node, readsOf, stringOf } from '../onnx/index.ts'
import type { GoneAt } from './gone.ts'
import type { Analysis } from './types.ts'

/** A layer that sums over units that go and whose bias can take over what is constant of them. */
export type Taker = {
  readonly node: Node
  /** Its weight, and the axis it sums over. */
  readonly weight: string
  readonly axis: 0 | 1
  /** The indices of it that go, and the outputs that stay. */
  readonly gone: readonly number[]
  readonly outputs: readonly number[]
  /** The node that adds the bias, and where. */
  readonly adder: Node
  readonly position: number
}

/** Axis of a layer's data input that it sums over, and the axes of its weight: summed over, and made. */
export type Layer = { readonly data: number; readonly sums: 0 | 1; readonly makes: 0 | 1 }

/** The axes of a layer with one weight: a convolution, Gemm, or MatMul by a matrix; undefined for any other node. */
export const layerOf = (node: Node, dims: (name: string) => readonly number[]): Layer | undefined => {
  const [x = '', w = ''] = node.inputs
  if (node.domain !== '') return undefined
  if (node.opType === 'Conv') return { data: 1, sums: 1, makes: 0 }
  if (node.opType === 'ConvTranspose' && intOf(node, 'group', 1) === 1) return { data: 1, sums: 0, makes: 1 }
  if (node.opType === 'Gemm' && intOf(node, 'transA', 0) === 0)
    return intOf(node, 'transB', 0) === 0 ? { data: 1, sums: 0, makes: 1 } : { data: 1, sums: 1, makes: 0 }
  if (node.opType === 'MatMul' && dims(w).length === 2) return { data: dims(x).length - 1, sums: 0, makes: 1 }
  return undefined
}

export type TakerContext = {
  readonly analysis: Analysis
  /** The classes of all units that go. */
  readonly removed: ReadonlySet<number>
  readonly pruned: Model
  /** Weights as they are while the units that go are held at their constants. */
  readonly held: Model
  /** Also convolutions with padding, whose border sees zeros. */
  readonly padded: boolean
}

/** The layer as a taker of the units `gone` of its data, or why it is none. */
export const takerOf = (
  node: Node,
  { sums, makes }: Layer,
  gone: GoneAt,
  { analysis, removed, pruned, held, padded }: TakerContext,
): Taker | string => {
  const { graph } = analysis.model
  const name = node.inputs[1] ?? ''
  const weight = graph.initializers.get(name)
  if (weight?.type !== 'float32' || isDefault(name, analysis)) return 'it reads units without a weight of its own'
  if (node.opType === 'ConvTranspose') return 'its operator takes no constants'
  if (node.opType === 'Conv') {
    const pads =
      !['NOTSET', 'VALID'].includes(stringOf(node, 'auto_pad', 'NOTSET')) ||
      intsOf(node, 'pads', []).some((n) => n !== 0)
    if (pads && !padded) return 'its padding shows at the border'
  }
  if (node.opType === 'Gemm' && (floatOf(node, 'alpha', 1) !== 1 || floatOf(node, 'beta', 1) !== 1))
    return 'it scales its product or its bias'
  const readers = graph.nodes.filter((reader) => readsOf(reader).includes(node.outputs[0]!))
  const adder = node.opType === 'MatMul' ? readers[0] : node
  const isOutput = graph.outputs.some((output) => output.name === node.outputs[0])
  if (!adder || (adder !== node && (adder.opType !== 'Add' || readers.length !== 1 || isOutput)))
    return 'it has no bias'
  const position = adder === node ? 2 : adder.inputs.findIndex((input) => input !== node.outputs[0])
  const bias = graph.initializers.get(adder.inputs[position] ?? '')
  const isBias = bias?.type === 'float32' && bias.dims.length === 1 && bias.dims[0] === weight.dims[makes]
  if (!isBias || isDefault(adder.inputs[position]!, analysis)) return 'it has no bias'
  const own = inPruned(pruned, adder)?.inputs[position] ?? ''
  const uses = pruned.graph.nodes.flatMap(readsOf).filter((read) => read === own)
  if (uses.length !== 1 || pruned.graph.outputs.some((output) => output.name === own)) return 'its bias is shared'
  const { units } = analysis
  const made = units.slot({ value: name, axis: makes })
  const stays = (output: number) => !units.tied(made) || !removed.has(units.classOf(made, output))
  const outputs = Array.from({ length: weight.dims[makes]! }, (_, o) => o).filter(stays)
  const [values, used] = [float32Of(weight), float32Of(held.graph.initializers.get(name)!)]
  for (const input of gone.indices)
    for (const output of outputs) {
      const [from, to] = kernelAt(weight, sums, input, output)
      for (let i = from; i < to; i++) if (values[i] !== used[i]) return 'its weight also makes the units'
    }
  return { node, weight: name, axis: sums, gone: gone.indices, outputs, adder, position }
}

/** Where the numbers between an input and an output of a layer begin and end in its weight. */
const kernelAt = ({ dims: [, columns = 1, ...kernel] }: Tensor, sums: 0 | 1, input: number, output: number) => {
  const size = sizeOf(kernel)
  const from = (sums === 0 ? input * columns + output : output * columns + input) * size
  return [from, from + size] as const
}

/** What the constants add to each output that stays: Σ W[o, c, …]·constant(c), over the indices that go. */
export const shiftOf = (
  { axis, gone, outputs }: Taker,
  weight: Tensor,
  constant: (index: number) => number,
): number[] => {
  const values = float32Of(weight)
  return outputs.map((output) =>
    gone.reduce((total, input) => {
      const [from, to] = kernelAt(weight, axis, input, output)
      return total + values.subarray(from, to).reduce((sum, value) => sum + value, 0) * constant(input)
    }, 0),
  )
}

/** Whether a caller may feed another tensor in an initializer's place. */
export const isDefault = (name: string, { model }: Analysis): boolean => model.graph.defaults?.includes(name) ?? false

/** The same node in the pruned model, whose values keep their names. */
export const inPruned = ({ graph }: Model, { outputs }: Node): Node | undefined =>
  graph.nodes.find((node) => node.outputs[0] === outputs[0])
