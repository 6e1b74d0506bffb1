import { expect, test } from 'vitest'
import { byteLengthOf, numbersOf, sizeOf, type Tensor } from '../../base/index.ts'
import { copyNode, type Model, makeGraph, makeModel, type Node } from '../../onnx/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import type { Values } from '../../runtime/types.ts'
import type { OperatorCase } from '../cases/types.ts'
import { tensorLike } from '../helpers.ts'
import { operatorOf } from '../index.ts'
import type { AxisContext, AxisReading, AxisRef, NodeContext, ResizeContext } from '../types.ts'
import { type OneNode, openEither } from './check.ts'

/** What a row says of the axes of one case, under one reading of its choices. */
type Facts = {
  /** The unit of each index of each axis, by `value axis index`. */
  readonly unit: (ref: AxisRef, index: number) => string
  /** Units that may go, each as the places it has. */
  readonly units: ReadonlyMap<string, readonly string[]>
  readonly mentioned: ReadonlySet<string>
  /** Whether it calls some axis approximate. */
  readonly approximate: boolean
  /** How many readings its richest choice offers. */
  readonly readings: number
}

export const place = ({ value, axis }: AxisRef, index: number) => `${value} ${axis} ${index}`
const slot = ({ value, axis }: AxisRef) => `${value} ${axis}`

/** Asks a row for its facts and keeps them in a union–find; `reading` picks one of every choice. */
export const factsOf = (context: NodeContext, reading: number): Facts => {
  const parent = new Map<string, string>()
  const frozen = new Set<string>()
  const mentioned = new Set<string>()
  let offered = 1
  let approximate = false
  const { node, dims } = context
  const front = (ref: AxisRef): AxisRef => ({
    ...ref,
    axis: ref.axis < 0 ? ref.axis + dims(ref.value).length : ref.axis,
  })
  const top = (at: string): string => {
    const up = parent.get(at)
    return up === undefined || up === at ? at : top(up)
  }
  const tie = (a: string, b: string) => void parent.set(top(a), top(b))
  const size = (ref: AxisRef) => dims(ref.value)[ref.axis]!
  const mention = (given: AxisRef) => {
    const ref = front(given)
    if (size(ref) === undefined) throw new Error(`${node.opType} speaks of axis ${ref.axis} of '${ref.value}'`)
    mentioned.add(slot(ref))
    return ref
  }
  const fix = (given: AxisRef, reason: string) => {
    if (reason === '') throw new Error('a reason is read by people')
    const ref = mention(given)
    for (let i = 0; i < size(ref); i++) frozen.add(place(ref, i))
  }
  const axes: AxisContext = {
    ...context,
    join(x, y) {
      const [a, b] = [mention(x), mention(y)]
      if (size(a) !== size(b)) throw new Error(`${node.opType} joins ${size(a)} indices with ${size(b)}`)
      for (let i = 0; i < size(a); i++) tie(place(a, i), place(b, i))
    },
    joinAt(x, y) {
      const [a, b] = [mention(x), mention(y)]
      if (x.at >= size(a) || y.at >= size(b)) throw new Error(`${node.opType} joins an index out of range`)
      tie(place(a, x.at), place(b, y.at))
    },
    freeze: fix,
    approximate(ref, reason) {
      approximate = true
      fix(ref, reason)
    },
    choose(readings: readonly AxisReading[]) {
      offered = Math.max(offered, readings.length)
      readings[Math.min(reading, readings.length - 1)]!.state()
    },
  }
  operatorOf(node)!.axes(axes)

  const stuck = new Set([...frozen].map(top))
  const units = new Map<string, string[]>()
  for (const value of new Set([...node.inputs, ...node.outputs].filter((name) => name !== '')))
    for (let axis = 0; axis < dims(value).length; axis++)
      for (let i = 0; i < dims(value)[axis]!; i++) {
        const root = top(place({ value, axis }, i))
        if (stuck.has(root)) continue
        units.set(root, [...(units.get(root) ?? []), place({ value, axis }, i)])
      }
  return { unit: (ref, index) => top(place(ref, index)), units, mentioned, approximate, readings: offered }
}

type Kept = (ref: AxisRef) => readonly number[] | undefined

/** Elements of a tensor whose index along every axis is kept. */
export const cut = (tensor: Tensor, kept: (axis: number) => readonly number[] | undefined): Tensor => {
  let { dims, bytes } = tensor
  const width = byteLengthOf({ type: tensor.type, dims: [1] })
  for (let axis = 0; axis < dims.length; axis++) {
    const indices = kept(axis)
    if (!indices) continue
    const inner = sizeOf(dims.slice(axis + 1)) * width
    const outer = sizeOf(dims.slice(0, axis))
    const parts: Uint8Array[] = []
    for (let o = 0; o < outer; o++)
      for (const i of indices)
        parts.push(bytes.subarray((o * dims[axis]! + i) * inner, (o * dims[axis]! + i + 1) * inner))
    bytes = Uint8Array.from(parts.flatMap((part) => [...part]))
    dims = dims.with(axis, indices.length)
  }
  return { type: tensor.type, dims, bytes }
}

/** Zeros wherever an index along some axis is not kept. */
export const masked = (tensor: Tensor, kept: (axis: number) => readonly number[] | undefined): Tensor => {
  const bytes = tensor.bytes.slice()
  const width = byteLengthOf({ type: tensor.type, dims: [1] })
  for (let n = 0; n < sizeOf(tensor.dims); n++) {
    const gone = tensor.dims.some((dim, axis) => {
      const index = Math.floor(n / sizeOf(tensor.dims.slice(axis + 1))) % dim
      return kept(axis)?.includes(index) === false
    })
    if (gone) bytes.fill(0, n * width, (n + 1) * width)
  }
  return { ...tensor, bytes }
}

export const run = async (
  node: Node,
  values: ReadonlyMap<string, Tensor>,
  drawn: readonly string[],
  like: Model,
): Promise<Values> => {
  const model = { ...makeModel(makeGraph(node.opType)), opsets: like.opsets, irVersion: like.irVersion }
  for (const [name, tensor] of values)
    if (drawn.includes(name)) model.graph.inputs.push({ name, type: tensor.type, dims: [...tensor.dims] })
    else model.graph.initializers.set(name, tensor)
  model.graph.nodes = [node]
  model.graph.outputs = node.outputs.map((name) => ({ name, type: 'undefined' as const }))
  const session = await nodeRuntime.open(model, { threads: 1 })
  const out = await session.run(Object.fromEntries(drawn.map((name) => [name, values.get(name)!])))
  await session.close()
  return out
}

/** A case's node, and what rules may ask of it. */
export const caseContext = async (c: OperatorCase): Promise<{ one: OneNode; context: NodeContext }> => {
  const { one, session, out: shapes } = await openEither(c, 1)
  await session.close()
  const find = (name: string) => one.values.get(name) ?? shapes[name]!
  const context: NodeContext = {
    node: one.node,
    opset: c.opset ?? 17,
    dims: (name) => find(name).dims,
    type: (name) => find(name).type,
    constant: (name) => (one.drawn.includes(name) ? undefined : one.values.get(name)),
  }
  return { one, context }
}

/**
 * Removes units from a case's node and compares with the original where their slices are zero: what is left of the outputs
 * must be equal.
 */
export const checkAxes = async (c: OperatorCase): Promise<void> => {
  const { one, context } = await caseContext(c)
  let readings = 1
  for (let reading = 0; reading < readings; reading++) {
    const facts = factsOf(context, reading)
    readings = facts.readings
    for (const value of [...one.node.inputs, ...one.node.outputs])
      for (let axis = 0; value !== '' && axis < context.dims(value).length; axis++)
        expect(facts.mentioned.has(`${value} ${axis}`), `axis ${axis} of '${value}' is spoken of`).toBe(true)
    const units = [...facts.units.keys()]
    // The first unit alone, and every other one.
    for (const gone of [units.slice(0, 1), units.filter((_, i) => i % 2 === 1)])
      if (gone.length > 0) await checkRemoval(c, one, context, facts, new Set(gone))
  }
}

const checkRemoval = async (
  c: OperatorCase,
  one: OneNode,
  context: NodeContext,
  facts: Facts,
  gone: ReadonlySet<string>,
): Promise<void> => {
  const kept: Kept = (ref) => {
    const axis = ref.axis < 0 ? ref.axis + context.dims(ref.value).length : ref.axis
    const all = [...Array(context.dims(ref.value)[axis]!).keys()]
    const left = all.filter((i) => !gone.has(facts.unit({ ...ref, axis }, i)))
    return left.length === all.length ? undefined : left
  }
  const names = [...one.node.inputs, ...one.node.outputs].filter((name) => name !== '')
  // Something must be left of every axis.
  for (const value of names)
    for (const axis of context.dims(value).keys()) if (kept({ value, axis })?.length === 0) return

  const node = copyNode(one.node)
  const small = new Map(
    [...one.values].map(([name, tensor]) => [name, cut(tensor, (axis) => kept({ value: name, axis }))]),
  )
  const resize: ResizeContext = {
    ...context,
    node,
    kept,
    setConstant(position, tensor) {
      const name = `new${position}`
      while (node.inputs.length < position) node.inputs.push('')
      node.inputs[position] = name
      small.set(name, tensor)
    },
    setElements(position, entries) {
      const old = small.get(node.inputs[position]!)!
      const values = numbersOf(old).map((value, i) => entries.get(i) ?? value)
      this.setConstant(position, tensorLike(old.type, old.dims, values))
    },
  }
  operatorOf(one.node)!.resize?.(resize)
  for (const name of small.keys()) if (!node.inputs.includes(name)) small.delete(name)
  const zeroed = new Map(
    [...one.values].map(([name, tensor]) => [
      name,
      one.drawn.includes(name) || c.masked?.includes(name)
        ? masked(tensor, (axis) => kept({ value: name, axis }))
        : tensor,
    ]),
  )
  const wanted = await run(copyNode(one.node), zeroed, one.drawn, one.model)
  const found = await run(node, small, one.drawn, one.model)
  for (const value of one.node.outputs) {
    const expected = cut(wanted[value]!, (axis) => kept({ value, axis }))
    const what = `${c.op} (${c.name}): ${value} without ${[...gone].join(', ')}`
    expect(found[value]!.dims, what).toEqual(expected.dims)
    const [x, y] = [numbersOf(found[value]!), numbersOf(expected)]
    x.forEach((number, i) => void expect(number, what).toBeCloseTo(y[i]!, 4))
  }
}

/** One test per case: what its row says of axes is true. */
export const testAxes = (cases: readonly OperatorCase[]): void => {
  test.each(cases.map((c) => [`${c.op}: ${c.name}, its axes`, c] as const))('%s', (_, c) => checkAxes(c))
}
