import { random } from '../../base/index.ts'
import { copyModel, float, type Model } from '../../onnx/index.ts'
import { zeroSlices } from '../slice.ts'
import { removedRoots } from '../surgery.ts'
import type { Analysis, Plan } from '../types.ts'
import { Net } from './networks.ts'

/** A network being written: layers with and without biases whose units say something while their weights are zero. */
class Stream {
  readonly net: Net
  readonly dice
  #count = 0

  constructor(dims: readonly number[], seed: number) {
    this.net = new Net(dims, seed)
    this.dice = random(seed)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.dice.below(items.length)]!
  }

  name(hint: string): string {
    return `${hint}${this.#count++}`
  }

  /** Now and then no bias at all. */
  #bias(name: string, size: number): string[] {
    return this.dice.below(5) === 0 ? [] : [this.net.weight(`${name}.bias`, [size])]
  }

  /** A convolution, by default of single pixels; its parts, to be read again. */
  conv(x: string, [out, inner, k]: readonly [number, number, number], pad = 0): { y: string; parts: string[] } {
    const name = this.name('conv')
    const parts = [this.net.weight(`${name}.weight`, [out, inner, k, k]), ...this.#bias(name, out)]
    return { y: this.again(x, parts, k, pad), parts }
  }

  again(x: string, parts: readonly string[], k = 1, pad = 0): string {
    return this.net.b.op('Conv', [x, ...parts], { kernel_shape: [k, k], pads: [pad, pad, pad, pad] })
  }

  /** A linear layer on the last axis: MatMul and Add, or Gemm on rows. */
  dense(x: string, [inner, out]: readonly [number, number], rows: boolean): { y: string; parts: string[] } {
    const name = this.name('dense')
    const { b } = this.net
    if (rows && this.dice.below(2)) {
      const transB = this.dice.below(2)
      const weight = this.net.weight(`${name}.weight`, transB ? [out, inner] : [inner, out])
      const alpha = float(this.pick([1, 1, 1, 0.5]))
      return { y: b.op('Gemm', [x, weight, ...this.#bias(name, out)], { transB, alpha }), parts: [weight] }
    }
    const weight = this.net.weight(`${name}.weight`, [inner, out])
    const product = b.op('MatMul', [x, weight])
    const [bias] = this.#bias(name, out)
    if (bias === undefined) return { y: product, parts: [weight] }
    return { y: b.op('Add', this.dice.below(2) ? [product, bias] : [bias, product]), parts: [weight, bias] }
  }

  active(x: string): string {
    return this.net.b.op(this.pick(['Relu', 'Sigmoid', 'Tanh', 'Softplus', 'Identity']), [x])
  }
}

/** Images through layers in a residual stream, gates made of means, shared weights and several readers. */
const imageStream = (seed: number): Model => {
  const s = new Stream([3, 8, 8], seed)
  const { b } = s.net
  const channels = 4
  let h = s.active(s.conv('x', [channels, 3, s.pick([1, 3])]).y)
  const again: string[][] = []
  const steps: Record<string, () => string> = {
    residual: () => b.op('Add', [h, s.conv(h, [channels, channels, 1]).y]),
    'residual, active': () => b.op('Add', [h, s.active(s.conv(s.active(h), [channels, channels, 1]).y)]),
    'residual, padded': () => b.op('Add', [h, s.conv(h, [channels, channels, 3], 1).y]),
    bottleneck: () => b.op('Add', [h, s.conv(s.active(s.conv(h, [6, channels, 1]).y), [channels, 6, 1]).y]),
    plain: () => s.active(s.conv(h, [channels, channels, 1]).y),
    shared: () => {
      if (again.length === 0 || s.dice.below(2)) {
        const { y, parts } = s.conv(h, [channels, channels, 1])
        again.push(parts)
        return s.active(y)
      }
      return b.op('Add', [h, s.again(h, s.pick(again))])
    },
    gate: () => {
      const small = s.active(s.conv(b.op('GlobalAveragePool', [h]), [3, channels, 1]).y)
      return b.op('Mul', [h, b.op('Sigmoid', [s.conv(small, [channels, 3, 1]).y])])
    },
    'two readers': () =>
      b.op('Add', [s.conv(h, [channels, channels, 1]).y, s.active(s.conv(h, [channels, channels, 1]).y)]),
    concat: () => {
      const side = s.active(s.conv(h, [3, channels, 1]).y)
      return s.conv(b.op('Concat', [h, side], { axis: 1 }), [channels, channels + 3, 1]).y
    },
    norm: () => s.net.norm(h, s.name('norm'), channels),
    scaled: () => b.op('Mul', [h, s.net.weight(s.name('scale'), [channels, 1, 1])]),
    shifted: () => b.op('Add', [h, s.net.weight(s.name('shift'), [1, channels, 1, 1])]),
  }
  for (let i = s.dice.below(5) + 1; i > 0; i--) h = steps[s.pick(Object.keys(steps))]!()
  const { y } = s.conv(h, [5, channels, s.pick([1, 3])])
  const flat = s.net.flatten(b.op('GlobalAveragePool', [s.active(y)]))
  return s.net.model(s.dense(flat, [5, 2], true).y)
}

/** Rows, or steps of a sequence, through linear layers of which some are added to what they read. */
const linearStream = (seed: number): Model => {
  const rows = seed % 2 === 0
  const s = new Stream(rows ? [6] : [5, 6], seed)
  const { b } = s.net
  const width = 6
  let h = s.active(s.dense('x', [6, width], rows).y)
  const again: string[][] = []
  const steps: Record<string, () => string> = {
    residual: () => b.op('Add', [h, s.dense(h, [width, width], rows).y]),
    feedforward: () => b.op('Add', [h, s.dense(s.active(s.dense(h, [width, 8], rows).y), [8, width], rows).y]),
    plain: () => s.active(s.dense(h, [width, width], rows).y),
    gated: () =>
      b.op('Mul', [s.dense(h, [width, width], rows).y, b.op('Sigmoid', [s.dense(h, [width, width], rows).y])]),
    'two readers': () => b.op('Add', [s.dense(h, [width, width], rows).y, s.dense(h, [width, width], rows).y]),
    shared: () => {
      const found = again.length > 0 && s.dice.below(2) ? s.pick(again) : undefined
      if (!found) {
        const { y, parts } = s.dense(h, [width, width], false)
        again.push(parts)
        return s.active(y)
      }
      const product = b.op('MatMul', [h, found[0]!])
      return b.op('Add', [h, found[1] ? b.op('Add', [product, found[1]]) : product])
    },
    shifted: () => b.op('Add', [h, s.net.weight(s.name('shift'), [width])]),
  }
  for (let i = s.dice.below(5) + 1; i > 0; i--) h = steps[s.pick(Object.keys(steps))]!()
  return s.net.model(s.dense(s.active(s.dense(h, [width, 7], rows).y), [7, 2], rows).y)
}

/** A network whose removed units still say something: a different one for each seed. */
export const absorbingModel = (seed: number): Model => (seed % 3 === 0 ? linearStream(seed) : imageStream(seed))

/**
 * What an absorbed model must equal, found from the groups alone: in each absorbed group only the weights that make its
 * removed units are zero, so that what their biases make of nothing goes on through the network; units of other groups are
 * zero everywhere.
 */
export const heldByHand = (analysis: Analysis, plan: Plan): Model => {
  const held = copyModel(analysis.model)
  const { initializers } = held.graph
  const absorbed = new Set(plan.absorbed?.groups)
  const gone = removedRoots(analysis, plan)
  for (const { name, members, roots } of analysis.groups)
    for (const { initializer, axis, role, perUnit, indices } of members) {
      if (absorbed.has(name) && role !== 'produces') continue
      const removed = [...indices].filter((_, i) => gone.has(roots[Math.floor(i / perUnit)]!))
      initializers.set(initializer, zeroSlices(initializers.get(initializer)!, axis, removed))
    }
  return held
}
