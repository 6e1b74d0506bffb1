import { sizeOf, type Tensor, type TensorType } from '../base/index.ts'
import { type Model, type Node, opsetOf, subgraphsOf, type ValueInfo } from '../onnx/index.ts'
import { type NodeContext, operatorOf } from '../operators/index.ts'
import { constants, type Runtime, traceInferred, type Values } from '../runtime/index.ts'
import type { Heads } from './choices.ts'
import { type SampleOptions, sampleInputs } from './feeds.ts'
import { foldSizes } from './fold-sizes.ts'
import { followSizes } from './follow-sizes.ts'
import { groupUnits } from './groups.ts'
import { isFloating } from './importance/weights.ts'
import { inlineControl } from './inline-control.ts'
import { prepareModel } from './prepare.ts'
import { runAxisRules } from './rules.ts'
import type { Analysis, OnPruneEvent } from './types.ts'

export type AnalyzeOptions = Pick<SampleOptions, 'sizes' | 'seed'> & {
  /** Runs the model once for the shapes of its values. */
  runtime: Runtime
  /** Inputs of that run; random ones of batch 1 unless given. */
  feeds?: Values
  /** Default 'dimensions'. */
  heads?: Heads
  onEvent?: OnPruneEvent
}

/**
 * Finds what can be pruned: runs the model once for its shapes, then every operator's axis rule.
 *
 * @throws EspalierError when the model cannot be run, UnsupportedError when its inputs' shapes must be given as `feeds`
 */
export const analyzeModel = async (original: Model, options: AnalyzeOptions): Promise<Analysis> => {
  const { runtime, onEvent = () => {} } = options
  onEvent({ type: 'progress', stage: 'trace', done: 0, total: 1 })
  const feeds = options.feeds ?? sampleInputs(original, options)
  const { model, copies } = prepareModel(await inlineControl(original, runtime, holdsNoWeights))
  const traced = await traceInferred(runtime, model, feeds)
  const before = followSizes(model, { constant: contentsIn(model, await constants(runtime, model)), ...traced })
  const { constants: sizes, made } = foldSizes(model, before, traced.types)
  const shapes = new Map([...traced.types, ...made])
  const known = await constants(runtime, model)
  onEvent({ type: 'progress', stage: 'trace', done: 1, total: 1 })
  return analyzeTraced(model, { ...traced, shapes, known, copies, folded: sizes, heads: options.heads, onEvent })
}

/** Contents of a model's initializers, and of what was found to depend on no input. What a caller may override is none. */
const contentsIn = ({ graph }: Model, known: ReadonlyMap<string, Tensor>) => {
  const replaceable = new Set(graph.defaults)
  return (name: string): Tensor | undefined =>
    replaceable.has(name) ? undefined : (known.get(name) ?? graph.initializers.get(name))
}

/** Weights of a subgraph would have no place in the original that a plan could name. */
const holdsNoWeights = (node: Node): boolean =>
  subgraphsOf(node).every(
    ({ nodes, initializers }) =>
      [...initializers.values()].every((tensor) => !isFloating(tensor) || sizeOf(tensor.dims) <= 1) &&
      nodes.every(holdsNoWeights),
  )

/** The same for a prepared model whose shapes are known. */
export const analyzeTraced = (
  model: Model,
  {
    shapes: traced,
    known,
    inferred,
    copies = new Map(),
    folded = new Set(),
    heads,
    onEvent = () => {},
  }: {
    heads?: Heads | undefined
    shapes: ReadonlyMap<string, TensorType>
    known: ReadonlyMap<string, Tensor>
    /** What the engine infers of values before any run. */
    inferred?: ReadonlyMap<string, ValueInfo>
    copies?: ReadonlyMap<string, string>
    /** Initializers that hold sizes. */
    folded?: ReadonlySet<string>
    onEvent?: OnPruneEvent
  },
): Analysis => {
  const shapes = new Map<string, TensorType>([...traced, ...model.graph.initializers])
  const constant = (name: string) => known.get(name) ?? model.graph.initializers.get(name)
  const sizes = followSizes(model, { constant: contentsIn(model, known), inferred, traced: shapes })
  const total = model.graph.nodes.length
  const onNode = (done: number) => onEvent({ type: 'progress', stage: 'analyze', done, total })
  const { units, ...ruled } = runAxisRules(model, { shapes, constant, sizes }, { heads, copies, folded, onNode })
  const opset = opsetOf(model)
  const macsOf = (node: Node) => operatorOf(node)?.macs(contextOf(node, opset, { shapes, constant })) ?? 0
  return { model, shapes, constant, sizes, units, ...groupUnits(model, units, ruled, macsOf), copies }
}

/** What a rule may ask of a node, answered from the traced run. */
export const contextOf = (
  node: Node,
  opset: number,
  { shapes, constant, sizes }: Pick<Analysis, 'shapes' | 'constant'> & Partial<Pick<Analysis, 'sizes'>>,
): NodeContext => ({
  node,
  opset,
  dims: (name) => shapes.get(name)?.dims ?? [],
  type: (name) => shapes.get(name)?.type ?? 'undefined',
  constant,
  ...(sizes && { sizes: (name: string) => sizes.dims(name), elements: (name: string) => sizes.elements(name) }),
})
