import { EspalierError, float32, float32Of, float64, numbersOf, own, type Tensor } from '../base/index.ts'
import type { BoundLink } from './engine.ts'
import type { Optimizer } from './optimizer.ts'
import type { Parameter, SlotShape } from './types.ts'

/** An optimizer's memory as plain data: tensors for a safetensors file and a JSON document beside them. */
export type OptimizerState = {
  /** By `LINK:SLOT:PARAMETER`; shaped like the parameter unless the link says otherwise. */
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly scalars: OptimizerScalars
}

export type OptimizerScalars = {
  readonly format: 'espalier-optimizer/1'
  /** Updates made in all, and of each parameter. */
  readonly count: number
  readonly steps: Readonly<Record<string, number>>
  /** Each link's shared numbers, by its key. */
  readonly links: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** The tensors that are not shaped like their parameter: which of its axes theirs follow. */
  readonly axes: Readonly<Record<string, SlotShape['axes']>>
  /** Tensors that no longer fit their parameter once it is sliced, to be made anew by their link. */
  readonly remade: readonly string[]
}

/** A copy of everything the optimizer remembers, from which `restoreState` continues to bit-identical weights. */
export const stateOf = (optimizer: Optimizer): OptimizerState => {
  const tensors = new Map<string, Tensor>()
  const axes: Record<string, SlotShape['axes']> = {}
  const remade: string[] = []
  for (const { key, values, parameter, shape } of slotsOf(optimizer)) {
    const dims = shape?.dims ?? parameter.dims
    tensors.set(key, values instanceof Float64Array ? float64(dims, values.slice()) : float32(dims, values.slice()))
    if (shape) axes[key] = shape.axes
    if (shape?.remade) remade.push(key)
  }
  return {
    tensors,
    scalars: {
      format: 'espalier-optimizer/1',
      count: optimizer.count,
      steps: Object.fromEntries(optimizer.steps),
      links: Object.fromEntries(optimizer.links.map(({ key, shared }) => [key, { ...shared }])),
      axes,
      remade,
    },
  }
}

/**
 * Puts a saved state into an optimizer of the same links and parameters.
 * @throws EspalierError naming the link or parameter that is missing, left over or of another shape; nothing is changed then.
 */
export const restoreState = (optimizer: Optimizer, { tensors, scalars }: OptimizerState): void => {
  const fail = (what: string, initializer?: string): never => {
    throw new EspalierError(`the saved optimizer state does not fit: ${what}`, {
      ...(initializer !== undefined && { place: { initializer } }),
      remedy: 'resume with the optimizer and the parameters it was saved with',
    })
  }
  if (scalars.format !== 'espalier-optimizer/1') fail(`its format is ${JSON.stringify(scalars.format)}`)
  const linkKeys = optimizer.links.map(({ key }) => key).join(', ')
  const savedKeys = Object.keys(scalars.links).join(', ')
  if (linkKeys !== savedKeys) fail(`it holds the links ${savedKeys}, the optimizer ${linkKeys}`)
  const slots = slotsOf(optimizer)
  const left = new Set(tensors.keys())
  for (const { key, values, parameter, shape } of slots) {
    const saved = tensors.get(key)
    left.delete(key)
    if (!saved) {
      if (!shape?.remade) fail(`'${key}' is missing`, parameter.name)
      continue
    }
    const dims = (shape?.dims ?? parameter.dims).join(', ')
    if (saved.dims.join(', ') !== dims)
      fail(`'${key}' has shape [${saved.dims.join(', ')}], not [${dims}]`, parameter.name)
    if (saved.type !== (values instanceof Float64Array ? 'float64' : 'float32'))
      fail(`'${key}' is ${saved.type}`, parameter.name)
  }
  for (const key of left) fail(`'${key}' belongs to no parameter`)
  for (const { name } of optimizer.parameters)
    if (own(scalars.steps, name) === undefined) fail('its step count is missing', name)

  for (const { key, values } of slots) {
    const saved = tensors.get(key)
    if (!saved) values.fill(0)
    else values.set(values instanceof Float64Array ? numbersOf(saved) : float32Of(saved))
  }
  for (const { key, shared } of optimizer.links) Object.assign(shared, own(scalars.links, key))
  for (const { name } of optimizer.parameters) optimizer.steps.set(name, own(scalars.steps, name) ?? 0)
  optimizer.count = scalars.count
}

/** Every slot of every link and parameter with its key. */
const slotsOf = ({ links, parameters }: Optimizer) =>
  links.flatMap((bound) =>
    parameters.flatMap((parameter) => {
      const shapes = bound.link.shapes?.(parameter) ?? {}
      return Object.entries(bound.slots.get(parameter.name) ?? {}).map(([slot, values]) => ({
        key: keyOf(bound, slot, parameter),
        values,
        parameter,
        shape: shapes[slot] ?? (values.length === parameter.values.length ? undefined : loose(values.length)),
      }))
    }),
  )

const keyOf = ({ key }: BoundLink, slot: string, { name }: Parameter): string => `${key}:${slot}:${name}`

/** A few numbers about a parameter that follow none of its axes. */
const loose = (length: number): SlotShape => ({ dims: [length], axes: [null] })

/** Kept indices per axis, by initializer: a pruning plan's `slices`. */
export type Slices = Readonly<Record<string, Readonly<Record<number, readonly number[]>>>>

/** The state of the pruned network's optimizer: every tensor keeps the indices its parameter kept. */
export const pruneState = ({ tensors, scalars }: OptimizerState, slices: Slices): OptimizerState => {
  const remade = new Set(scalars.remade)
  const pruned = [...tensors].flatMap(([key, tensor]): [string, Tensor][] => {
    const slice = own(slices, nameOf(key))
    if (!slice) return [[key, tensor]]
    if (remade.has(key)) return []
    const axes = own(scalars.axes, key) ?? tensor.dims.map((_, i) => i)
    return [
      [
        key,
        sliceTensor(
          tensor,
          axes.map((axis) => (axis === null ? undefined : slice[axis])),
        ),
      ],
    ]
  })
  return { tensors: new Map(pruned), scalars }
}

/** `LINK:SLOT:PARAMETER`, where only the parameter's name may hold colons. */
const nameOf = (key: string): string => key.split(':').slice(2).join(':')

const sliceTensor = (tensor: Tensor, kept: readonly (readonly number[] | undefined)[]): Tensor => {
  const { dims } = tensor
  const width = tensor.type === 'float64' ? 8 : 4
  let bytes = tensor.bytes
  const now = [...dims]
  for (const [axis, indices] of kept.entries()) {
    if (!indices) continue
    const inner = width * now.slice(axis + 1).reduce((n, d) => n * d, 1)
    const outer = now.slice(0, axis).reduce((n, d) => n * d, 1)
    const size = now[axis] ?? 0
    const next = new Uint8Array(outer * indices.length * inner)
    for (let o = 0; o < outer; o++)
      for (const [k, i] of indices.entries())
        next.set(bytes.subarray((o * size + i) * inner, (o * size + i + 1) * inner), (o * indices.length + k) * inner)
    bytes = next
    now[axis] = indices.length
  }
  return { type: tensor.type, dims: now, bytes }
}
