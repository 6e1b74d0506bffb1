import { FormatError, type Tensor } from '../base/index.ts'
import { copyModel, type Graph, type Model, type Node, opsetOf, readsOf, type ValueInfo } from '../onnx/index.ts'
import { operatorOf } from '../operators/index.ts'
import { contextOf } from './analyze.ts'
import { Cut, cutInitializers } from './cut.ts'
import { weightOf } from './importance/scores.ts'
import { freshName, pinSizes, withEntries } from './pin-sizes.ts'
import { type Cuts, cutsOf, shifted, sliceTensor } from './slice.ts'
import type { Analysis, OnPruneEvent, Plan } from './types.ts'

/**
 * The model a plan describes, smaller for good: initializers sliced, nodes edited by their operators' rows, recorded shapes
 * set right. The model given is not touched; weights that stay whole are shared with it.
 *
 * @param model where weights are read: the analysed model, or one with the same initializers trained further
 * @throws FormatError when the plan does not fit the model
 */
export const applyPlan = (model: Model, plan: Plan, analysis: Analysis, onEvent: OnPruneEvent = () => {}): Model => {
  const cut = new Cut(analysis.units, removedRoots(analysis, plan))
  const { slices, merged, copies } = cutInitializers(analysis, cut)
  checkPlan(plan, slices, copies)

  const pruned = copyModel(analysis.model)
  pruned.metadata = new Map(model.metadata)
  const { graph } = pruned
  let done = 0
  for (const name of graph.initializers.keys()) {
    const tensor = weightOf(model, analysis, name)!
    const cuts = slices.get(name)
    if (merged.has(name)) graph.initializers.delete(name)
    else graph.initializers.set(name, cuts ? sliceTensor(tensor, cuts) : tensor)
    onEvent({ type: 'progress', stage: 'slice', done: ++done, total: analysis.model.graph.initializers.size })
  }
  // Before any node is edited: a constant that several nodes share again is not for one of them to change.
  for (const node of graph.nodes) node.inputs = node.inputs.map((name) => merged.get(name) ?? name)
  pinSizes(graph, analysis, cut)
  resizeNodes(graph, analysis, cut, opsetOf(pruned))
  fixShapes(graph, cut, analysis)
  for (const [name, shift] of Object.entries(plan.absorbed?.biases ?? {})) {
    const bias = graph.initializers.get(name)
    if (!bias) throw misfit(`it shifts '${name}', which the model does not have`)
    graph.initializers.set(name, shifted(bias, shift))
  }
  return pruned
}

/** The classes a plan removes: those of every index missing from its slices. */
export const removedRoots = ({ model, units }: Analysis, { slices }: Plan): Set<number> => {
  const removed = new Set<number>()
  for (const name of Object.keys(slices)) {
    const dims = model.graph.initializers.get(name)?.dims
    if (!dims) throw misfit(`it slices '${name}', which the model does not have`)
    for (const [axis, kept] of cutsOf(slices, name)) {
      const size = dims[axis] ?? 0
      if ((kept.at(-1) ?? 0) >= size)
        throw misfit(`it keeps index ${kept.at(-1)} of axis ${axis} of '${name}', which has ${size}`)
      const slot = units.slot({ value: name, axis })
      const there = new Set(kept)
      for (let i = 0; i < size; i++) {
        if (there.has(i)) continue
        const frozen = units.tied(slot)
          ? units.frozenReason(units.classOf(slot, i))
          : units.slotReason(slot) || 'not prunable'
        if (frozen) throw misfit(`it removes index ${i} of axis ${axis} of '${name}', which is frozen (${frozen})`)
        removed.add(units.classOf(slot, i))
      }
    }
  }
  return removed
}

/** A plan must remove whole units: its slices are exactly those its own units lead to. */
const checkPlan = (plan: Plan, slices: ReadonlyMap<string, Cuts>, copies: ReadonlyMap<string, string>): void => {
  const text = (cuts: Cuts) => JSON.stringify([...cuts].sort(([a], [b]) => a - b))
  for (const name of new Set([...Object.keys(plan.slices), ...slices.keys()]))
    if (text(cutsOf(plan.slices, name)) !== text(slices.get(name) ?? new Map()))
      throw misfit(`its slices of '${name}' are not those that go with its other slices`)
  for (const name of copies.keys())
    if (!Object.hasOwn(plan.copies, name)) throw misfit(`it does not name the copy '${name}'`)
}

const misfit = (what: string) =>
  new FormatError(`the plan does not fit the model: ${what}`, { remedy: 'use the file the plan was made for' })

/** Lets each row edit its node where axes of the node's values lost indices. */
const resizeNodes = (graph: Graph, analysis: Analysis, cut: Cut, opset: number): void => {
  const { shapes } = analysis
  const isCut = (name: string) => cut.cuts(name, shapes.get(name)?.dims.length ?? 0).size > 0
  const readers = new Map<string, number>()
  for (const name of graph.nodes.flatMap(readsOf)) readers.set(name, (readers.get(name) ?? 0) + 1)
  for (const name of [...graph.inputs, ...graph.outputs].map((value) => value.name)) readers.set(name, 2)
  const typeOf = (name: string) => shapes.get(name) ?? { type: 'int64' as const, dims: [0] }
  const replaced: string[] = []
  const made = new Map<string, string>()
  graph.nodes = graph.nodes.flatMap((node) => {
    const resize = operatorOf(node)?.resize
    const names = [...node.inputs, ...node.outputs].filter((name) => name !== '')
    if (!resize || !names.some((name) => shapes.has(name) && isCut(name))) return [node]
    const before: Node[] = []
    resize({
      ...contextOf(node, opset, analysis),
      kept: (ref) => cut.kept(ref),
      setConstant: (position, tensor) => {
        const old = node.inputs[position] ?? ''
        const alone = graph.initializers.has(old) && readers.get(old) === 1
        const key = `${old}\n${tensor.type} ${tensor.dims} ${tensor.bytes}`
        const name = alone ? old : (made.get(key) ?? freshName(graph, `${old || node.outputs[0]}_pruned`))
        graph.initializers.set(name, tensor)
        if (!alone) made.set(key, name)
        while (node.inputs.length <= position) node.inputs.push('')
        node.inputs[position] = name
        if (!alone && old) replaced.push(old)
      },
      setElements: (position, entries) => {
        const old = node.inputs[position] ?? ''
        const elements = analysis.sizes.elements(old)
        if (![...entries].some(([i, value]) => elements?.[i] !== value)) return
        const name = freshName(graph, `${old}_pruned`)
        before.push(...withEntries(graph, { from: old, to: name, entries, ...typeOf(old) }, opset))
        node.inputs[position] = name
      },
    })
    return [...before, node]
  })
  dropUnread(graph, replaced)
}

/** Removes values that lost their last reader, then the nodes that made them. What was unread before stays. */
const dropUnread = (graph: Graph, names: readonly string[]): void => {
  const waiting = [...names]
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const value = name
    if (
      graph.outputs.some((output) => output.name === value) ||
      graph.nodes.some((node) => readsOf(node).includes(value))
    )
      continue
    if (!graph.inputs.some((input) => input.name === value)) graph.initializers.delete(value)
    const maker = graph.nodes.find((node) => node.outputs.includes(value))
    if (!maker || !isUnread(graph, maker)) continue
    graph.nodes.splice(graph.nodes.indexOf(maker), 1)
    waiting.push(...readsOf(maker))
  }
}

const isUnread = (graph: Graph, maker: Node): boolean => {
  const read = new Set([...graph.nodes.flatMap(readsOf), ...graph.outputs.map((output) => output.name)])
  return maker.outputs.every((output) => !read.has(output))
}

/** Sets the sizes recorded for values that got smaller. Named and unknown sizes stay as they are. */
const fixShapes = (graph: Graph, cut: Cut, { shapes, model }: Analysis): void => {
  const fixed = (info: ValueInfo): ValueInfo => {
    if (!info.dims || shapes.get(info.name)?.dims.length !== info.dims.length) return info
    const dims = info.dims.map((dim, axis) => {
      const kept = typeof dim === 'number' ? cut.kept({ value: info.name, axis }) : undefined
      return kept?.length ?? dim
    })
    return { ...info, dims }
  }
  graph.valueInfo = new Map([...graph.valueInfo].map(([name, info]) => [name, fixed(info)]))
  // Files before IR version 4 list initializers among the inputs too.
  graph.inputs = graph.inputs.map((info) => (model.graph.initializers.has(info.name) ? fixed(info) : info))
}

/** A tensor shaped like an initializer (an optimizer's state), cut as the plan cuts the initializer. */
export const sliceByPlan = (plan: Plan, initializer: string, tensor: Tensor): Tensor =>
  sliceTensor(tensor, cutsOf(plan.slices, initializer))
