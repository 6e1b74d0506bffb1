import {
  bytesOf,
  type DataType,
  own,
  type Random,
  random,
  sizeOf,
  type Tensor,
  UnsupportedError,
} from '../base/index.ts'
import type { Dimension, Model, ValueInfo } from '../onnx/index.ts'

export type SampleOptions = {
  /** Size of the first axis where the model leaves it free; default 1. */
  batch?: number
  /** Free axes other than the batch grow by half: a second look that tells what depends on them. */
  larger?: boolean
  /** Sizes of other free axes, by the name the model gives them or as 'input:axis'. */
  sizes?: { readonly [axis: string]: number }
  /** Default 0. */
  seed?: number
}

/** The inputs a caller must feed: those no initializer stands in for. */
export const fedInputs = ({ graph }: Model): ValueInfo[] =>
  graph.inputs.filter((input) => !graph.initializers.has(input.name))

/** Whether the model takes any batch size: the first axis of every input is free. */
export const hasFreeBatch = (model: Model): boolean => {
  const inputs = fedInputs(model)
  return (
    inputs.length > 0 &&
    inputs.every(({ dims }) => dims !== undefined && typeof dims[0] !== 'number' && dims.length > 0)
  )
}

/**
 * Random tensors of the shapes a model asks for: standard normal for floats, 0 or 1 for integers (which every embedding and
 * mask accepts). A free first axis is the batch; other free axes are 64 in images (four axes or more) and 16 elsewhere, and
 * axes of one name have one size.
 */
export const sampleInputs = (model: Model, options: SampleOptions = {}): Record<string, Tensor> => {
  const dice = random(options.seed ?? 0)
  const inputs = fedInputs(model)
  const kinds = namedAxes(inputs)
  return Object.fromEntries(
    inputs.map((input) => [input.name, sample(input.type, dimsOf(input, kinds, options), dice, input.name)]),
  )
}

/** What a free axis is: samples, the side of an image, or any other length. */
export type AxisKind = 'batch' | 'image' | 'length'

/** Size of a free axis of each kind where nothing else is asked for. */
export const usualSize = { image: 64, length: 16 } as const

const isFree = (dim: Dimension): boolean => typeof dim !== 'number' || dim <= 0

const nameOf = (dim: Dimension): string => (typeof dim === 'string' ? dim : '')

const kindAt = (rank: number, axis: number): AxisKind => (axis === 0 ? 'batch' : rank >= 4 ? 'image' : 'length')

/** The kinds of named axes. A name that stands for a first axis and for others too is no batch. */
const namedAxes = (inputs: readonly ValueInfo[]): ReadonlyMap<string, AxisKind> => {
  const weight = { batch: 0, length: 1, image: 2 }
  const kinds = new Map<string, AxisKind>()
  for (const { dims = [] } of inputs)
    for (const [axis, dim] of dims.entries()) {
      const name = nameOf(dim)
      if (name === '') continue
      const [kind, before] = [kindAt(dims.length, axis), kinds.get(name)]
      if (before === undefined || weight[kind] > weight[before]) kinds.set(name, kind)
    }
  return kinds
}

/** A free axis other than the batch. */
export type FreeAxis = {
  readonly kind: 'image' | 'length'
  /** As the model names it, '' where it does not. */
  readonly name: string
  /** Every 'input:axis' it is. */
  readonly keys: readonly string[]
}

/**
 * The axes besides the batch whose sizes are free. Axes of one name are one; so are unnamed axes at the same position of
 * several inputs (ids and their mask), which rarely may differ.
 */
export const freeAxes = (model: Model): FreeAxis[] => {
  const inputs = fedInputs(model)
  const kinds = namedAxes(inputs)
  const found = new Map<string, FreeAxis & { keys: string[] }>()
  for (const { name, dims = [] } of inputs)
    for (const [axis, dim] of dims.entries()) {
      if (!isFree(dim)) continue
      const kind = kinds.get(nameOf(dim)) ?? kindAt(dims.length, axis)
      if (kind === 'batch') continue
      const key = nameOf(dim) ? `named ${nameOf(dim)}` : `${kind} ${axis}`
      const one = found.get(key) ?? { kind, name: nameOf(dim), keys: [] }
      one.keys.push(`${name}:${axis}`)
      found.set(key, one)
    }
  return [...found.values()]
}

const dimsOf = (
  input: ValueInfo,
  kinds: ReadonlyMap<string, AxisKind>,
  { batch = 1, sizes = {}, larger = false }: SampleOptions,
): number[] => {
  if (!input.dims)
    throw new UnsupportedError('the model does not say how many axes the input has', {
      place: { value: input.name },
      remedy: 'pass `feeds` with a tensor for each input',
    })
  const rank = input.dims.length
  return input.dims.map((dim, axis) => {
    if (typeof dim === 'number' && dim > 0) return dim
    const given = own(sizes, `${input.name}:${axis}`) ?? own(sizes, nameOf(dim))
    const kind = kinds.get(nameOf(dim)) ?? kindAt(rank, axis)
    if (kind === 'batch') return given ?? batch
    return Math.ceil((given ?? usualSize[kind]) * (larger ? 1.5 : 1))
  })
}

const sample = (type: DataType, dims: readonly number[], dice: Random, name: string): Tensor => {
  const size = sizeOf(dims)
  const draw = drawers[type]
  if (!draw)
    throw new UnsupportedError(`random ${type} inputs cannot be made`, {
      place: { value: name },
      remedy: 'pass `feeds` with a tensor for each input',
    })
  return { type, dims, bytes: draw(size, dice) }
}

const bit = (dice: Random) => dice.below(2)
const fill = <A extends { [i: number]: number; length: number } & ArrayBufferView>(array: A, draw: () => number) => {
  for (let i = 0; i < array.length; i++) array[i] = draw()
  return bytesOf(array)
}

const drawers: { [T in DataType]?: (size: number, dice: Random) => Uint8Array } = {
  float32: (size, dice) => fill(new Float32Array(size), dice.normal),
  float64: (size, dice) => fill(new Float64Array(size), dice.normal),
  // Half precision: ±1, ±½ and so on are enough to tell two models apart, and need no rounding.
  float16: (size, dice) => fill(new Uint16Array(size), () => (bit(dice) << 15) | ((12 + dice.below(4)) << 10)),
  bfloat16: (size, dice) => fill(new Uint16Array(size), () => (bit(dice) << 15) | ((124 + dice.below(4)) << 7)),
  int64: (size, dice) => bytesOf(BigInt64Array.from({ length: size }, () => BigInt(bit(dice)))),
  int32: (size, dice) => fill(new Int32Array(size), () => bit(dice)),
  int16: (size, dice) => fill(new Int16Array(size), () => bit(dice)),
  int8: (size, dice) => fill(new Int8Array(size), () => bit(dice)),
  uint8: (size, dice) => fill(new Uint8Array(size), () => bit(dice)),
  bool: (size, dice) => fill(new Uint8Array(size), () => bit(dice)),
}
