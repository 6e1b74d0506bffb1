import { dataTypes, sizeOf, type Tensor } from '../base/index.ts'
import { intOf, type Node, nodeLabel } from '../onnx/index.ts'
import type { GoneAt, GoneIn } from './gone.ts'
import { indexWise } from './index-wise.ts'
import { isDefault, layerOf, type Taker, type TakerContext, takerOf } from './takers.ts'
import type { Group } from './types.ts'

/** Who takes the constants of a group's units, and the values that must be seen to be uniform at each index. */
export type Takers = { readonly takers: readonly Taker[]; readonly uniform: ReadonlyMap<string, GoneAt> }

export type StillContext = TakerContext & {
  /** Values computed from initializers alone, as they are while the units that go are held at their constants. */
  readonly known: ReadonlyMap<string, Tensor>
}

/** What a node does with units that go. */
type Step = {
  /** Inputs that must be constant for its outputs to be. */
  readonly needs: readonly string[]
  /** Why its outputs are not constant, whatever its inputs are. */
  readonly varies?: string | undefined
  readonly taker?: Taker
  /** Whether it only puts its input's elements elsewhere, the same elements at every size. */
  readonly moves?: boolean
}

/**
 * Follows the units of a group that go from the layers that make them to the layers that sum over them, while the weights that
 * make them are zero. Behind such a layer a unit is its bias, whatever the input and however large; operators that work index
 * by index keep it constant. Every way must end in a layer whose bias can take the constant over. An operator of which that is
 * not known ends the search.
 *
 * @returns why the units cannot be absorbed, where they cannot
 */
export const takersOf = (group: Group, gone: GoneIn, context: StillContext): Takers | string => {
  if (group.approximate) return 'removing its units is approximate'
  const { analysis } = context
  const isConstant = (name: string) => !isDefault(name, analysis) && analysis.constant(name) !== undefined
  const varying = new Map<string, string>()
  const uniform = new Map<string, GoneAt>()
  const takers: Taker[] = []
  const read = (name: string) => uniform.set(name, gone.get(name)![0]!)
  for (const node of analysis.model.graph.nodes) {
    const touched = [...node.inputs, ...node.outputs].filter((name) => gone.has(name))
    if (touched.length === 0 || node.outputs.every((name) => name === '' || isConstant(name))) continue
    if (sizesOnly.has(node.opType) && node.domain === '') continue
    const where = `${node.opType} '${nodeLabel(node)}'`
    if (touched.some((name) => !isConstant(name) && gone.get(name)!.length > 1))
      return `${where}: it has the units along several axes`
    const step = stepOf(node, gone, context, isConstant)
    if (typeof step === 'string') return `${where}: ${step}`
    const { needs, taker, moves } = step
    const source = needs.find((name) => varying.has(name))
    const varies = step.varies ? `${where} ${step.varies}` : source !== undefined ? varying.get(source) : undefined
    for (const name of node.outputs) if (varies && gone.has(name)) varying.set(name, varies)
    if (!varies && !moves) for (const name of needs) read(name)
    if (!taker) continue
    const x = node.inputs[0]!
    if (varying.has(x)) return `its units are not constant: ${varying.get(x)}`
    takers.push(taker)
    read(x)
  }
  return { takers, uniform }
}

/** Operators that ask an input for its size, not its numbers. */
const sizesOnly = new Set(['Shape', 'Size'])

const unread = 'it reads units without a weight of its own'

const stepOf = (
  node: Node,
  gone: GoneIn,
  context: StillContext,
  isConstant: (name: string) => boolean,
): Step | string => {
  const { analysis } = context
  const inputs = node.inputs.filter((name) => name !== '')
  const made = node.outputs.filter((name) => gone.has(name))
  const others = inputs.filter((name) => !gone.has(name) && !isConstant(name))
  const mixes = others.length > 0 ? `combines them with '${others[0]}', which is not constant` : undefined
  const kind = indexWise(node, analysis.constant)
  if (kind === 'moves') {
    const sources = node.opType === 'Concat' ? inputs : inputs.slice(0, 1)
    // Where what it takes depends on an input or on sizes, all there is to take must be the same.
    const moves = inputs.every((name) => sources.includes(name) || isConstant(name))
    return { needs: sources.filter((name) => gone.has(name) && !(moves && isConstant(name))), moves }
  }
  const layer = kind === undefined ? layerStep(node, gone, context, isConstant) : undefined
  if (layer) return layer
  if (made.length === 0) return unread
  if (kind === 'each') {
    const place = (name: string) => (analysis.shapes.get(name)?.dims.length ?? 0) - gone.get(name)![0]!.axis
    const needs = inputs.filter((name) => gone.has(name) && !isConstant(name))
    const aligned = needs.every((name) => place(name) === place(made[0]!))
    return aligned ? { needs, varies: mixes } : unread
  }
  const [x = '', ...settings] = inputs
  if (kind !== 'pools' || !gone.has(x) || isConstant(x)) return 'it is not known to keep constants'
  const free = node.opType === 'Resize' || node.opType === 'Upsample'
  return { needs: [x], varies: free || settings.every(isConstant) ? undefined : mixes }
}

/** A layer with weights: it takes the constants of what it sums over, and makes constants where its weights are zero. */
const layerStep = (
  node: Node,
  gone: GoneIn,
  context: StillContext,
  isConstant: (name: string) => boolean,
): Step | string | undefined => {
  const { analysis, removed } = context
  const dims = (name: string) => analysis.shapes.get(name)?.dims ?? []
  const layer = layerOf(node, dims)
  if (!layer) return undefined
  const [x = '', w = '', bias = ''] = node.inputs
  const [y = ''] = node.outputs
  if (!isConstant(w)) return unread
  const [read, made] = [gone.get(x)?.[0], gone.get(y)?.[0]]
  if (read && read.axis !== layer.data) return unread
  if (made && made.axis !== (node.opType === 'MatMul' ? dims(y).length - 1 : 1)) return unread
  const weight = context.held.graph.initializers.get(w) ?? context.known.get(w)
  const silent = !made || (weight !== undefined && isZeroAt(weight, { axis: layer.makes, indices: made.indices }))
  const varies = !silent
    ? 'makes them with weights that other layers use too'
    : bias !== '' && !isConstant(bias)
      ? `adds '${bias}', which is not constant`
      : undefined
  const step = { needs: [], varies }
  if (!read) return step
  const count = node.opType === 'Conv' ? intOf(node, 'group', 1) : 1
  if (count > 1) {
    // A group of channels whose outputs all go has nothing to take.
    const [per, out] = [dims(x)[1]! / count, dims(y)[1]! / count]
    const slot = analysis.units.slot({ value: y, axis: 1 })
    const goes = (o: number) => analysis.units.tied(slot) && removed.has(analysis.units.classOf(slot, o))
    const open = read.indices.some((i) => {
      const first = Math.floor(i / per) * out
      return Array.from({ length: out }, (_, o) => first + o).some((o) => !goes(o))
    })
    return open ? 'it is grouped' : step
  }
  const taker = takerOf(node, layer, read, context)
  return typeof taker === 'string' ? taker : { ...step, taker }
}

const isZeroAt = ({ type, dims, bytes }: Tensor, { axis, indices }: GoneAt): boolean => {
  const { bits } = dataTypes[type]
  if (bits % 8 !== 0) return false
  const [outer, size] = [sizeOf(dims.slice(0, axis)), dims[axis]!]
  const block = (sizeOf(dims.slice(axis + 1)) * bits) / 8
  for (let o = 0; o < outer; o++)
    for (const index of indices) {
      const from = (o * size + index) * block
      for (let i = from; i < from + block; i++) if (bytes[i] !== 0) return false
    }
  return true
}
