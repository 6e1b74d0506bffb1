import { bytesOf, type DataType, type Random, random, sizeOf, type Tensor, UnsupportedError } from '../base/index.ts'
import type { Model, ValueInfo } from '../onnx/index.ts'

export type SampleOptions = {
  /** Size of the first axis where the model leaves it free; 1 unless said. */
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
 * mask accepts). A free first axis is the batch; other free axes are 64 in images (four axes or more) and 16 elsewhere.
 */
export const sampleInputs = (model: Model, options: SampleOptions = {}): Record<string, Tensor> => {
  const dice = random(options.seed ?? 0)
  return Object.fromEntries(
    fedInputs(model).map((input) => [input.name, sample(input.type, dimsOf(input, options), dice, input.name)]),
  )
}

const dimsOf = (input: ValueInfo, { batch = 1, sizes = {}, larger = false }: SampleOptions): number[] => {
  if (!input.dims)
    throw new UnsupportedError('the model does not say how many axes the input has', {
      place: { value: input.name },
      remedy: 'pass `feeds` with a tensor for each input',
    })
  const rank = input.dims.length
  return input.dims.map((dim, axis) => {
    if (typeof dim === 'number' && dim > 0) return dim
    const said = sizes[`${input.name}:${axis}`] ?? (typeof dim === 'string' ? sizes[dim] : undefined)
    if (said === undefined && axis === 0) return batch
    return (said ?? (rank >= 4 ? 64 : 16)) * (larger ? 1.5 : 1)
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
