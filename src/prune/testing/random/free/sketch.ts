import { random } from '../../../../base/index.ts'
import type { Dimension, Model } from '../../../../onnx/index.ts'
import { SizeNet } from '../../sizes/net.ts'
import type { Sizes } from '../../sizes/types.ts'
import { Sketch } from '../sketch.ts'

/** A size that varies from run to run: what it is at each of the sizes the network must run at. */
export type Side = readonly number[]

/** (N, channels, height, width) */
export type Image = {
  readonly kind: 'image'
  readonly name: string
  readonly channels: number
  readonly sides: readonly [Side, Side]
}

/** (N, length, channels) */
export type Tokens = {
  readonly kind: 'tokens'
  readonly name: string
  readonly channels: number
  readonly sides: readonly [Side]
}

/** Adds some nodes; does nothing where no value fits. */
export type FreeStep = (s: FreeSketch) => void

/** Inputs with free axes: images or sequences, some of whose axes the file fixes. */
export type FreeInput = {
  readonly dims: readonly Dimension[]
  /** Free axes at each of the sizes to run at, by name. */
  readonly draws: readonly Sizes[]
}

/** A network some of whose values have sizes that vary, beside those of fixed sizes behind the batch. */
export class FreeSketch extends Sketch {
  readonly net: SizeNet
  readonly #free: (Image | Tokens)[] = []
  readonly runs: number

  constructor({ dims, draws }: FreeInput, opset: number, form: SizeNet['form']) {
    super(dims, 1, opset)
    this.net = new SizeNet(this.b, opset, { form, dice: random(2) })
    this.runs = draws.length
    const side = (axis: number): Side => {
      const dim = dims[axis]!
      return draws.map((sizes) => (typeof dim === 'number' ? dim : sizes[dim ?? `x:${axis}`]!))
    }
    if (dims.length === 4) this.image('x', Number(dims[1]), [side(2), side(3)])
    else this.tokens('x', Number(dims[2]), side(1))
  }

  image(name: string, channels: number, sides: readonly [Side, Side]): void {
    this.#free.push({ kind: 'image', name, channels, sides })
  }

  tokens(name: string, channels: number, side: Side): void {
    this.#free.push({ kind: 'tokens', name, channels, sides: [side] })
  }

  /** One of the images that fit, the latest more often than others. */
  takeImage(fits: (image: Image) => boolean = () => true): Image | undefined {
    return this.#latest(this.#free.filter((value) => value.kind === 'image').filter(fits))
  }

  takeTokens(fits: (tokens: Tokens) => boolean = () => true): Tokens | undefined {
    return this.#latest(this.#free.filter((value) => value.kind === 'tokens').filter(fits))
  }

  #latest<T>(found: readonly T[]): T | undefined {
    if (found.length === 0) return undefined
    return this.below(3) > 0 ? found.at(-1)! : this.pick(found)
  }

  /** Every value of free sizes that nothing reads becomes an output, of two channels. */
  override model(): Model {
    const read = new Set(this.b.graph.nodes.flatMap(({ inputs }) => inputs))
    for (const { kind, name, channels } of this.#free) {
      if (read.has(name)) continue
      const y =
        kind === 'image' ? this.net.conv(name, 'end', [2, channels, 1]) : this.net.dense(name, 'end', [channels, 2])
      this.output(y, kind === 'image' ? ['N', 2, null, null] : ['N', null, 2])
    }
    return super.model()
  }
}

/** A side computed from others, run by run. */
export const zip = (f: (...sizes: number[]) => number, ...sides: readonly Side[]): Side =>
  sides[0]!.map((_, run) => f(...sides.map((side) => side[run]!)))

export const every = (side: Side, holds: (size: number) => boolean): boolean => side.every(holds)

export const same = (a: Side, b: Side): boolean => a.every((size, run) => size === b[run])
