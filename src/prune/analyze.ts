import { sizeOf, type Tensor, type TensorType } from '../base/index.ts'
import { type Model, type Node, opsetOf, subgraphsOf } from '../onnx/index.ts'
import { type NodeContext, operatorOf } from '../operators/index.ts'
import { constants, type Runtime, settleControl, trace, type Values } from '../runtime/index.ts'
import type { Heads } from './choices.ts'
import { type SampleOptions, sampleInputs } from './feeds.ts'
import { groupUnits } from './groups.ts'
import { isFloating } from './importance/weights.ts'
import { prepareModel } from './prepare.ts'
import { runAxisRules } from './rules.ts'
import { settleShapes } from './settle-shapes.ts'
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
  const looks = options.feeds ? [] : [feeds, secondLook(original, options)]
  const { model, copies } = prepareModel(await settleControl(original, runtime, { looks, may: holdsNoWeights }))
  const traced = await trace(runtime, model, feeds)
  const made = options.feeds
    ? new Map<string, TensorType>()
    : await settleShapes(model, runtime, [feeds, secondLook(model, options)], traced)
  const shapes = new Map([...traced, ...made])
  // Without the traced shapes: a batch size is not a constant of the model.
  const known = await constants(runtime, model)
  onEvent({ type: 'progress', stage: 'trace', done: 1, total: 1 })
  return analyzeTraced(model, { shapes, known, copies, heads: options.heads, onEvent })
}

/** Weights of a subgraph would have no place in the original that a plan could name. */
const holdsNoWeights = (node: Node): boolean =>
  subgraphsOf(node).every(
    ({ nodes, initializers }) =>
      [...initializers.values()].every((tensor) => !isFloating(tensor) || sizeOf(tensor.dims) <= 1) &&
      nodes.every(holdsNoWeights),
  )

/** Inputs of another batch, and larger wherever the model leaves an axis free. */
const secondLook = (model: Model, options: AnalyzeOptions): Values =>
  sampleInputs(model, { ...options, batch: 3, larger: true })

/** The same for a prepared model whose shapes are known. */
export const analyzeTraced = (
  model: Model,
  {
    shapes: traced,
    known,
    copies = new Map(),
    heads,
    onEvent = () => {},
  }: {
    heads?: Heads | undefined
    shapes: ReadonlyMap<string, TensorType>
    known: ReadonlyMap<string, Tensor>
    copies?: ReadonlyMap<string, string>
    onEvent?: OnPruneEvent
  },
): Analysis => {
  const shapes = new Map<string, TensorType>([...traced, ...model.graph.initializers])
  const constant = (name: string) => known.get(name) ?? model.graph.initializers.get(name)
  const total = model.graph.nodes.length
  const onNode = (done: number) => onEvent({ type: 'progress', stage: 'analyze', done, total })
  const { units, ...ruled } = runAxisRules(model, { shapes, constant }, { heads, copies, onNode })
  const opset = opsetOf(model)
  const macsOf = (node: Node) => operatorOf(node)?.macs(contextOf(node, opset, { shapes, constant })) ?? 0
  return { model, shapes, constant, units, ...groupUnits(model, units, ruled, macsOf), copies }
}

/** What a rule may ask of a node, answered from the traced run. */
export const contextOf = (
  node: Node,
  opset: number,
  { shapes, constant }: Pick<Analysis, 'shapes' | 'constant'>,
): NodeContext => ({
  node,
  opset,
  dims: (name) => shapes.get(name)?.dims ?? [],
  type: (name) => shapes.get(name)?.type ?? 'undefined',
  constant,
})
