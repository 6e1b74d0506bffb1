import { bool, FormatError, type Tensor } from '../base/index.ts'
import {
  copyModel,
  type Graph,
  intOf,
  type Model,
  makeNode,
  type Node,
  opsetOf,
  readsOf,
  type ValueInfo,
} from '../onnx/index.ts'
import { tensorLike } from '../operators/helpers.ts'
import { operatorOf } from '../operators/index.ts'
import { contextOf } from './analyze.ts'
import { Cut, cutInitializers } from './cut.ts'
import { weightOf } from './importance/scores.ts'
import { sourcesOf } from './needed-elements.ts'
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
  const replaced: string[] = []
  const made = new Map<string, string>()
  const moved = movedElements(graph, analysis, cut, opset)
  graph.nodes = graph.nodes.flatMap((node) => {
    const resize = operatorOf(node)?.resize
    const names = [...node.inputs, ...node.outputs].filter((name) => name !== '')
    if (!resize || !names.some((name) => (shapes.has(name) && isCut(name)) || moved.has(name))) return [node]
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
        const stale = moved.get(old)
        if (![...entries].some(([i, value]) => stale?.has(i) || elements?.[i] !== value)) return
        const count = shapes.get(old)?.dims[0] ?? 0
        const [mask, values] = [`${old}_fixed`, `${old}_entries`].map((hint) => freshName(graph, hint)) as [
          string,
          string,
        ]
        const all = Array.from({ length: count }, (_, i) => entries.get(i))
        graph.initializers.set(
          mask,
          bool(
            [count],
            all.map((entry) => entry !== undefined),
          ),
        )
        graph.initializers.set(
          values,
          tensorLike(
            shapes.get(old)?.type ?? 'int64',
            [count],
            all.map((entry) => entry ?? 0),
          ),
        )
        const name = freshName(graph, `${old}_pruned`)
        before.push(makeNode('Where', [mask, values, old], [name], {}, { name }))
        node.inputs[position] = name
      },
    })
    return [...before, node]
  })
  dropUnread(graph, replaced)
}

/** Entries of sizes that are read off an axis that loses indices, as far as arithmetic takes them. */
const movedElements = (
  graph: Graph,
  { sizes, shapes }: Analysis,
  cut: Cut,
  opset: number,
): ReadonlyMap<string, ReadonlySet<number>> => {
  const moved = new Map<string, Set<number>>()
  const add = (name: string, elements: readonly number[]) => {
    if (elements.length > 0) moved.set(name, new Set([...(moved.get(name) ?? []), ...elements]))
  }
  for (const node of graph.nodes) {
    const [x = '', made = ''] = [node.inputs[0], node.outputs[0]]
    const count = sizes.elements(made)?.length ?? 0
    if (count === 0) continue
    const rank = shapes.get(x)?.dims.length ?? 0
    const axes = [...cut.cuts(x, rank).keys()]
    if (node.opType === 'Size' && axes.length > 0) add(made, [0])
    else if (node.opType === 'Shape') {
      const start = intOf(node, 'start', 0)
      const first = start < 0 ? start + rank : start
      add(
        made,
        axes.map((axis) => axis - first).filter((i) => i >= 0 && i < count),
      )
    } else
      for (const [position, name] of node.inputs.entries()) {
        const from = moved.get(name)
        if (!from) continue
        const reads = (i: number) => {
          const sources = sourcesOf({ node, opset, position, output: 0 }, new Set([i]), sizes)
          return sources === 'all' || [...sources].some((source) => from.has(source))
        }
        add(made, [...Array(count).keys()].filter(reads))
      }
  }
  return moved
}

const freshName = (graph: Graph, hint: string): string => {
  const taken = (name: string) =>
    graph.initializers.has(name) || graph.nodes.some((node) => node.outputs.includes(name))
  let name = hint
  for (let i = 1; taken(name); i++) name = `${hint}_${i}`
  return name
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
