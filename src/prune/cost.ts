import { byteLengthOf, sizeOf, type TensorType } from '../base/index.ts'
import { type Model, modelChunks, opsetOf } from '../onnx/index.ts'
import { free, operatorOf } from '../operators/index.ts'
import { constants, inferKnown, type Runtime, trace, type Values } from '../runtime/index.ts'
import { contextOf } from './analyze.ts'
import { Cut, cutInitializers } from './cut.ts'
import { type SampleOptions, sampleInputs } from './feeds.ts'
import { isFloating } from './importance/weights.ts'
import { type Prepared, prepareModel } from './prepare.ts'
import type { Analysis } from './types.ts'
import { writtenOut } from './written-out.ts'

export type Cost = {
  /** Elements of all floating-point initializers (running statistics of normalizations included). */
  readonly parameters: number
  /** The file's size; of a cut that is not made yet, at most a few bytes per initializer more than it will be. */
  readonly bytes: number
  /** Multiply–accumulates of one run on inputs of the traced size (batch 1 unless fed otherwise). */
  readonly macs: number
  /** Operators whose work is not known, and so not in `macs`. */
  readonly uncounted: readonly string[]
}

/**
 * Runs a model once and adds up what it costs. Of an If the branch taken counts, of a Loop or Scan the body as often as it
 * runs, nodes within a Loop that ends by a condition of its own excepted (`uncounted`).
 */
export const costOf = async (
  original: Model,
  { runtime, feeds, ...sample }: SampleOptions & { runtime: Runtime; feeds?: Values },
): Promise<Cost> => {
  const given = feeds ?? sampleInputs(original, sample)
  const { model } = prepareModel(await writtenOut(original, runtime, given))
  const shapes = await trace(runtime, model, given)
  const known = await constants(runtime, model)
  const constant = (name: string) => known.get(name) ?? model.graph.initializers.get(name)
  const dims = (name: string) => shapes.get(name)?.dims ?? []
  return { ...storedCost(original), ...workOf(model, { shapes, constant }, dims) }
}

/** What a file takes, read from it alone. */
export const storedCost = (original: Model): Pick<Cost, 'parameters' | 'bytes'> =>
  storedIn(original, prepareModel(original))

const storedIn = (original: Model, { model, copies }: Prepared): Pick<Cost, 'parameters' | 'bytes'> => {
  const weights = [...model.graph.initializers].filter(([name]) => !copies.has(name)).map(([, tensor]) => tensor)
  return { parameters: sizes(weights).parameters, bytes: modelChunks(original).length }
}

/**
 * The multiply–accumulates of one run as far as they follow from shapes that the engine infers, without running the model.
 * `unsized` are the values whose sizes are known only by running it, and which nodes with work read or make.
 */
export const inferredWork = async (
  original: Model,
  { runtime, ...sample }: SampleOptions & { runtime: Runtime },
): Promise<Pick<Cost, 'macs' | 'uncounted'> & { readonly unsized: readonly string[] }> => {
  const { model } = prepareModel(original)
  const types = await inferKnown(runtime, model, sampleInputs(model, sample))
  const shapes = new Map([...types].flatMap(([name, type]) => (type ? [[name, type] as const] : [])))
  const known = await constants(runtime, model)
  const constant = (name: string) => known.get(name) ?? model.graph.initializers.get(name)
  const isUnsized = (name: string) => types.get(name) === null
  const working = model.graph.nodes.filter((node) => operatorOf(node)?.macs !== free)
  const unsized = new Set(working.flatMap(({ inputs, outputs }) => [...inputs, ...outputs].filter(isUnsized)))
  const sized = model.graph.nodes.filter(({ inputs, outputs }) => ![...inputs, ...outputs].some(isUnsized))
  const counted = { ...model, graph: { ...model.graph, nodes: sized } }
  const dims = (name: string) => shapes.get(name)?.dims ?? []
  return { ...workOf(counted, { shapes, constant }, dims), unsized: [...unsized] }
}

/** Evaluates the cost of cuts of one analysed model; what does not depend on the cut is worked out once. */
export const costEvaluator = (analysis: Analysis): ((removedRoots: Iterable<number>) => Cost) => {
  const { model, shapes, units } = analysis
  const structure = structureBytes(model)
  return (removedRoots) => {
    const cut = new Cut(units, removedRoots)
    const { merged } = cutInitializers(analysis, cut)
    const weights = [...model.graph.initializers].flatMap(([name, tensor]) =>
      merged.has(name) ? [] : [{ type: tensor.type, dims: cut.dims(name, tensor.dims) }],
    )
    const dims = (name: string) => cut.dims(name, shapes.get(name)?.dims ?? [])
    const { parameters, bytes } = sizes(weights)
    return { parameters, bytes: bytes + structure, ...workOf(model, analysis, dims) }
  }
}

/**
 * The share of the multiply–accumulates that pruning can lower: those of nodes that get cheaper when every group keeps one
 * unit. `approximate` counts the groups touched on request too.
 */
export const prunableMacs = (analysis: Analysis, { approximate = false }: { approximate?: boolean } = {}): number => {
  const { model, shapes, units } = analysis
  const groups = analysis.groups.filter((group) => approximate || group.approximate === undefined)
  const cut = new Cut(
    units,
    groups.flatMap(({ roots }) => [...roots.subarray(1)]),
  )
  const dims = (name: string) => cut.dims(name, shapes.get(name)?.dims ?? [])
  const opset = opsetOf(model)
  let [total, prunable] = [0, 0]
  for (const node of model.graph.nodes) {
    const row = operatorOf(node)
    if (!row) continue
    const context = contextOf(node, opset, analysis)
    const macs = row.macs(context)
    total += macs
    if (row.macs({ ...context, dims }) < macs) prunable += macs
  }
  return total === 0 ? 0 : prunable / total
}

const sizes = (weights: readonly TensorType[]) => ({
  parameters: weights.reduce((total, weight) => total + (isFloating(weight) ? sizeOf(weight.dims) : 0), 0),
  bytes: weights.reduce((total, weight) => total + byteLengthOf(weight), 0),
})

/** What a file takes beside the elements of its initializers. */
export const structureBytes = (model: Model): number =>
  modelChunks(model).length - sizes([...model.graph.initializers.values()]).bytes

/** The MACs of all nodes whose operators have a row, given every value's shape. */
const workOf = (
  model: Model,
  values: Pick<Analysis, 'shapes' | 'constant'>,
  dims: (name: string) => readonly number[],
): Pick<Cost, 'macs' | 'uncounted'> => {
  const opset = opsetOf(model)
  const uncounted = new Set<string>()
  let macs = 0
  for (const node of model.graph.nodes) {
    const row = operatorOf(node)
    if (!row) uncounted.add(node.opType)
    else macs += row.macs({ ...contextOf(node, opset, values), dims })
  }
  return { macs, uncounted: [...uncounted] }
}
