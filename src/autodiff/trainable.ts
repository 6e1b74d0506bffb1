import { float32Of, sizeOf, type Tensor, UsageError } from '../base/index.ts'
import { type Graph, type Node, nodeLabel } from '../onnx/index.ts'

/** A floating-point initializer as training sees it. */
export type ParameterState = {
  readonly name: string
  readonly dims: readonly number[]
  /** What its name and its siblings' have in common, as `layer1.0.conv1`; else the node that reads it. */
  readonly layer: string
  /** The operator that reads it; '' where none does. */
  readonly operator: string
  /** Why training leaves it as it is; absent where it is trained. */
  readonly reason?: string
}

/**
 * Every floating-point initializer with whether training would change it, and if not, why. Trained is what some node uses
 * as a weight; left out are running statistics, which the forward pass updates by itself, numbers that set an operator
 * (bounds, scales of quantization), lone numbers used as factors (a √d, an epsilon), masks, and what brings the picture
 * into the network's range.
 */
export const parametersIn = (graph: Graph): ParameterState[] => {
  const uses = new Map<string, { readonly node: Node; readonly position: number }[]>()
  for (const node of graph.nodes)
    for (const [position, name] of node.inputs.entries())
      if (graph.initializers.has(name)) uses.set(name, [...(uses.get(name) ?? []), { node, position }])
  const raw = valuesOfInput(graph)
  return [...graph.initializers].flatMap(([name, tensor]) => {
    if (!floating.has(tensor.type)) return []
    const readers = uses.get(name) ?? []
    const reasons = readers.map(({ node, position }) => reasonOf(tensor, node, position, raw))
    const statistic = reasons.find((reason) => reason === runningStatistic)
    const reason = readers.length === 0 ? 'no node reads it' : (statistic ?? (reasons.every(Boolean) ? reasons[0] : ''))
    const [first] = readers
    return [
      {
        name,
        dims: tensor.dims,
        layer: /^(.+)[./][^./]+$/.exec(name)?.[1] ?? (first ? nodeLabel(first.node) : name),
        operator: first?.node.opType ?? '',
        ...(reason && { reason }),
      },
    ]
  })
}

/** The initializers that training would change. */
export const trainableInitializers = (graph: Graph): string[] =>
  parametersIn(graph).flatMap(({ name, reason }) => (reason === undefined ? [name] : []))

const floating = new Set(['float32', 'float64', 'float16', 'bfloat16'])
/** Why the mean and variance of a BatchNormalization are not trained. */
export const runningStatistic = 'a running statistic'

/** Why a tensor in this place of this node is no weight; undefined where it is one. */
const reasonOf = (tensor: Tensor, node: Node, position: number, raw: ReadonlySet<string>): string | undefined => {
  if (tensor.type !== 'float32') return `it is ${tensor.type}, and only float32 is trained`
  if (node.opType === 'BatchNormalization' && position >= 3) return runningStatistic
  if (position > 0 && settings.has(node.opType)) return `a setting of ${node.opType}`
  if (sizeOf(tensor.dims) === 1 && !learnsScalars.has(node.opType)) return 'a lone number'
  if (elementwise.has(node.opType) && node.inputs.some((name) => raw.has(name))) return 'it prepares the input'
  if ((elementwise.has(node.opType) || node.opType === 'Where') && masks(tensor)) return 'a mask'
  return undefined
}

/** Operators whose further inputs say how they work. */
const settings = new Set([
  ...['Resize', 'Upsample', 'Clip', 'Pad', 'Dropout', 'OneHot', 'Range', 'QuantizeLinear', 'DequantizeLinear'],
  ...['NonMaxSuppression', 'RoiAlign', 'MaxRoiPool', 'ConstantOfShape'],
])

/** Operators whose parameters are learnt even when they are a single number. */
const learnsScalars = new Set(['Conv', 'ConvTranspose', 'Gemm', 'PRelu', 'BatchNormalization', 'LayerNormalization'])

const elementwise = new Set(['Add', 'Sub', 'Mul', 'Div'])

/** Attention masks add −∞, or a number as large as to be one. */
const masks = (tensor: Tensor): boolean => float32Of(tensor).some((value) => value <= -1e4)

/** The graph's inputs, and what is made of them by nothing but rearranging and elementwise arithmetic with constants. */
const valuesOfInput = (graph: Graph): ReadonlySet<string> => {
  const raw = new Set(graph.inputs.map(({ name }) => name).filter((name) => !graph.initializers.has(name)))
  const keeps = new Set([...elementwise, 'Cast', 'Transpose', 'Identity'])
  for (const { opType, inputs, outputs } of graph.nodes)
    if (keeps.has(opType) && inputs.every((name) => raw.has(name) || graph.initializers.has(name)))
      for (const name of outputs) raw.add(name)
  return raw
}

/** @throws UsageError when one of `names` is not a float32 initializer of the graph. */
export const checkTrainable = (graph: Graph, names: readonly string[]): void => {
  for (const name of names) {
    const tensor = graph.initializers.get(name)
    if (tensor?.type === 'float32') continue
    throw new UsageError(
      tensor ? `'${name}' is ${tensor.type} and only float32 can be trained` : `the model has no initializer '${name}'`,
      { remedy: `trainable are ${trainableInitializers(graph).slice(0, 8).join(', ')}…` },
    )
  }
}
