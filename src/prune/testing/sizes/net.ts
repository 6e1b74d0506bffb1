import { bool, float32, int64, type Random, random, sizeOf } from '../../../base/index.ts'
import type { GraphBuilder } from '../../../onnx/index.ts'

/** A size in the graph: a number, or the name of an int64 scalar computed from sizes. */
export type Size = number | string

/** How exporters read a size: Gather from Shape, Slice of Shape, or Shape with start and end (opset 15). */
export type Form = 'gather' | 'slice' | 'range'

/** What most exporters write at an opset. */
const formAt = (opset: number): Form => (opset >= 15 ? 'range' : opset >= 13 ? 'slice' : 'gather')

/** Writes networks whose sizes are computed, in the forms of the chosen opset (11 to 21). */
export class SizeNet {
  readonly b: GraphBuilder
  readonly opset: number
  readonly form: Form
  readonly #dice

  /** Extends a graph that has its inputs. */
  constructor(
    b: GraphBuilder,
    opset: number,
    { form = formAt(opset), dice = random(1) }: { form?: Form; dice?: Random } = {},
  ) {
    this.b = b
    this.opset = opset
    this.form = form
    this.#dice = dice
  }

  op(...call: Parameters<GraphBuilder['op']>): string {
    return this.b.op(...call)
  }

  weight(name: string, dims: readonly number[]): string {
    const scale = 1 / Math.sqrt(Math.max(1, sizeOf(dims.slice(1))))
    const draw = () => this.#dice.normal() * scale
    return this.b.initializer(this.b.fresh(name), float32(dims, Float32Array.from({ length: sizeOf(dims) }, draw)))
  }

  /** A convolution with bias, by default with the padding that keeps odd kernels' sizes. */
  conv(x: string, hint: string, [out, inner, k]: readonly [number, number, number], { stride = 1, pad = k >> 1 } = {}) {
    const name = this.b.fresh(hint)
    const weights = [this.weight(`${name}.weight`, [out, inner, k, k]), this.weight(`${name}.bias`, [out])]
    const attributes = { kernel_shape: [k, k], strides: [stride, stride], pads: [pad, pad, pad, pad] }
    return this.op('Conv', [x, ...weights], attributes, { name })
  }

  relu(x: string): string {
    return this.op('Relu', [x])
  }

  pool(x: string): string {
    return this.op('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] })
  }

  /** A linear layer on the last axis. */
  dense(x: string, hint: string, [inner, out]: readonly [number, number]): string {
    const name = this.b.fresh(hint)
    const product = this.op('MatMul', [x, this.weight(`${name}.weight`, [inner, out])], {}, { name })
    return this.op('Add', [product, this.weight(`${name}.bias`, [out])])
  }

  // Operators whose axes moved from attributes to inputs.

  unsqueeze(x: string, axes: readonly number[]): string {
    return this.#withAxes('Unsqueeze', x, axes, 13, {})
  }

  squeeze(x: string, axes: readonly number[]): string {
    return this.#withAxes('Squeeze', x, axes, 13, {})
  }

  sum(x: string, axes: readonly number[], keepdims = 0): string {
    return this.#withAxes('ReduceSum', x, axes, 13, { keepdims })
  }

  mean(x: string, axes: readonly number[], keepdims = 0): string {
    return this.#withAxes('ReduceMean', x, axes, 18, { keepdims })
  }

  #withAxes(op: string, x: string, axes: readonly number[], since: number, attributes: Record<string, number>): string {
    return this.opset >= since
      ? this.op(op, [x, this.b.ints(axes)], attributes)
      : this.op(op, [x], { ...attributes, axes })
  }

  transpose(x: string, perm: readonly number[]): string {
    return this.op('Transpose', [x], { perm })
  }

  concat(parts: readonly string[], axis: number): string {
    return this.op('Concat', parts, { axis })
  }

  /** `x[…, start:end, …]` of one axis; without an end, to the end. */
  slice(x: string, axis: number, start: Size, end?: Size): string {
    const ends = end === undefined ? this.b.ints([Number.MAX_SAFE_INTEGER]) : this.list([end])
    return this.op('Slice', [x, this.list([start]), ends, this.b.ints([axis])])
  }

  // Arithmetic of sizes.

  int(value: Size): string {
    return typeof value === 'string' ? value : this.b.constant(int64([], [value]))
  }

  /** The size of an axis of x. */
  size(x: string, axis: number): string {
    if (this.form === 'gather') return this.op('Gather', [this.op('Shape', [x]), this.int(axis)], { axis: 0 })
    return this.squeeze(this.sizes(x, axis, axis + 1), [0])
  }

  /** The sizes of axes `from` to `to` of x, as a list. */
  sizes(x: string, from: number, to: number): string {
    if (this.form === 'range' && this.opset >= 15) return this.op('Shape', [x], { start: from, end: to })
    return this.op('Slice', [this.op('Shape', [x]), this.b.ints([from]), this.b.ints([to]), this.b.ints([0])])
  }

  /** Sizes in a list: a shape, pads, starts. */
  list(parts: readonly Size[]): string {
    const numbers = parts.filter((part) => typeof part === 'number')
    if (numbers.length === parts.length) return this.b.ints(numbers)
    const lists = parts.map((part) => (typeof part === 'number' ? this.b.ints([part]) : this.unsqueeze(part, [0])))
    return lists.length === 1 ? lists[0]! : this.concat(lists, 0)
  }

  add(a: Size, b: Size): string {
    return this.op('Add', [this.int(a), this.int(b)])
  }

  sub(a: Size, b: Size): string {
    return this.op('Sub', [this.int(a), this.int(b)])
  }

  mul(a: Size, b: Size): string {
    return this.op('Mul', [this.int(a), this.int(b)])
  }

  div(a: Size, b: Size): string {
    return this.op('Div', [this.int(a), this.int(b)])
  }

  mod(a: Size, b: Size): string {
    return this.op('Mod', [this.int(a), this.int(b)])
  }

  /** The smaller of two sizes; Min takes integers from opset 12. */
  min(a: Size, b: Size): string {
    const pair = [this.int(a), this.int(b)]
    return this.opset >= 12 ? this.op('Min', pair) : this.op('Where', [this.op('Less', pair), ...pair])
  }

  max(a: Size, b: Size): string {
    const pair = [this.int(a), this.int(b)]
    return this.op('Where', [this.op('Greater', pair), ...pair])
  }

  /** A size as a float32 scalar. */
  float(a: Size): string {
    return this.op('Cast', [this.int(a)], { to: 1 })
  }

  /** 0, 1, … n − 1 */
  range(n: Size, from: Size = 0): string {
    return this.op('Range', [this.int(from), this.int(n), this.int(1)])
  }

  reshape(x: string, sizes: readonly Size[]): string {
    return this.op('Reshape', [x, this.list(sizes)])
  }

  /** Zeros before and after each axis, as in ONNX's pads. */
  pad(x: string, pads: readonly Size[]): string {
    return this.op('Pad', [x, this.list(pads)], { mode: 'constant' })
  }

  /** An image resized to computed sizes, given as a list of all four. */
  resizeTo(x: string, sizes: string, mode = 'nearest'): string {
    const none = this.opset >= 13 ? '' : this.b.constant(float32([0], []))
    const transform = mode === 'nearest' ? 'asymmetric' : 'pytorch_half_pixel'
    const attributes = { mode, coordinate_transformation_mode: transform, nearest_mode: 'floor' }
    return this.op('Resize', [x, none, none, sizes], attributes)
  }

  /** An image twice as high and wide. */
  twice(x: string): string {
    const none = this.opset >= 13 ? '' : this.b.constant(float32([0], []))
    const attributes = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }
    return this.op('Resize', [x, none, this.b.constant(float32([4], [1, 1, 2, 2]))], attributes)
  }

  /** Softmax over the last axis, where all opsets mean the same. */
  softmax(x: string): string {
    return this.op('Softmax', [x], { axis: -1 })
  }

  true(): string {
    return this.b.constant(bool([], [true]))
  }
}
