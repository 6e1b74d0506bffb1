import { float32, type Random, random, sizeOf } from '../../../base/index.ts'
import { type Dimension, GraphBuilder, type Model, makeGraph, makeModel } from '../../../onnx/index.ts'

/** A value by name, and its dims behind the batch. */
export type Value = { readonly name: string; readonly dims: readonly number[] }

/** Adds some nodes; does nothing where no value fits. */
export type Step = (s: Sketch) => void

/** A network being written step by step, each taking any of the values there are. */
export class Sketch {
  readonly #graph = makeGraph('net')
  readonly #values: Value[] = []
  readonly #weights = new Map<string, string[]>()
  readonly b = new GraphBuilder(this.#graph)
  readonly opset: number
  dice: Random

  /** @param dims of the input `x`; a value to begin with where all but the batch are numbers */
  constructor(dims: readonly Dimension[], seed: number, opset: number) {
    this.opset = opset
    this.dice = random(seed)
    this.#graph.inputs.push({ name: 'x', type: 'float32', dims: [...dims] })
    const sizes = dims.slice(1).filter((dim) => typeof dim === 'number')
    if (sizes.length === dims.length - 1) this.add('x', sizes)
  }

  below(n: number): number {
    return this.dice.below(n)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  add(name: string, dims: readonly number[]): void {
    this.#values.push({ name, dims })
  }

  /** One of the values that fit, the latest more often than others. */
  take(fits: (v: Value) => boolean = () => true): Value | undefined {
    const found = this.#values.filter(fits)
    if (found.length === 0) return undefined
    return this.below(3) > 0 ? found.at(-1)! : this.pick(found)
  }

  /** A random initializer. Now and then one there is already, by its name or through an Identity, which so plays two roles. */
  weight(dims: readonly number[], kind: 'any' | 'positive' = 'any'): string {
    const key = `${kind} ${dims}`
    const made = this.#weights.get(key) ?? []
    if (made.length > 0 && this.below(5) === 0) {
      const again = this.pick(made)
      return this.below(2) ? again : this.b.op('Identity', [again])
    }
    const turned = this.#weights.get(`${kind} ${dims.toReversed()}`)
    if (dims.length === 2 && turned && this.below(5) === 0)
      return this.b.op('Transpose', [this.pick(turned)], { perm: [1, 0] })
    const draw = () => (kind === 'positive' ? 0.5 + this.dice.uniform() : this.dice.normal() * 0.6)
    const name = this.b.initializer(this.b.fresh('w'), float32(dims, Float32Array.from({ length: sizeOf(dims) }, draw)))
    this.#weights.set(key, [...made, name])
    return name
  }

  /** Makes a value an output of the graph. */
  output(name: string, dims: readonly Dimension[]): void {
    this.#graph.outputs.push({ name, type: 'float32', dims: [...dims] })
  }

  /** The finished model: every value nothing reads ends in three scores, added up. */
  model(): Model {
    const read = new Set(this.#graph.nodes.flatMap(({ inputs }) => inputs))
    const ends = this.#values.filter(({ name }) => !read.has(name))
    const scores = ends.map(({ name, dims }) => {
      const flat = this.b.op('Flatten', [dims.length === 0 ? this.b.op('Unsqueeze', [name, this.b.ints([1])]) : name])
      return this.b.op('MatMul', [flat, this.weight([sizeOf(dims), 3])])
    })
    if (scores.length > 0) this.output(this.b.op('Sum', scores), ['N', 3])
    return makeModel(this.#graph, { opset: this.opset })
  }
}

/** Of a value with at least `rank` axes behind the batch. */
export const ofRank =
  (rank: number, most = 4) =>
  ({ dims }: Value) =>
    dims.length >= rank && dims.length <= most
