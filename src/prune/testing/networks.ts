import { float32, random, sizeOf } from '../../base/index.ts'
import { GraphBuilder, type Model, makeGraph, makeModel } from '../../onnx/index.ts'

/** Writes small networks for tests: random weights, free batch. */
export class Net {
  readonly #graph = makeGraph('net')
  readonly b = new GraphBuilder(this.#graph)
  readonly #dice

  constructor(dims: readonly number[], seed = 1) {
    this.#dice = random(seed)
    this.#graph.inputs.push({ name: 'x', type: 'float32', dims: ['N', ...dims] })
  }

  /** A random initializer; `positive` for variances. */
  weight(name: string, dims: readonly number[], positive = false): string {
    const draw = () => (positive ? 0.5 + this.#dice.uniform() : this.#dice.normal())
    return this.b.initializer(name, float32(dims, Float32Array.from({ length: sizeOf(dims) }, draw)))
  }

  conv(x: string, name: string, [out, per, k]: [number, number, number], group = 1, padding = (k - 1) / 2): string {
    const weights = [this.weight(`${name}.weight`, [out, per, k, k]), this.weight(`${name}.bias`, [out])]
    const pads = [padding, padding, padding, padding]
    return this.b.op('Conv', [x, ...weights], { kernel_shape: [k, k], pads, group }, { name })
  }

  norm(x: string, name: string, channels: number): string {
    const parts = ['weight', 'bias', 'mean', 'var'].map((part) =>
      this.weight(`${name}.${part}`, [channels], part === 'var'),
    )
    return this.b.op('BatchNormalization', [x, ...parts], {}, { name })
  }

  dense(x: string, name: string, [out, inner]: [number, number]): string {
    const weights = [this.weight(`${name}.weight`, [out, inner]), this.weight(`${name}.bias`, [out])]
    return this.b.op('Gemm', [x, ...weights], { transB: 1 }, { name })
  }

  pool(x: string): string {
    return this.b.op('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] })
  }

  relu(x: string): string {
    return this.b.op('Relu', [x])
  }

  flatten(x: string): string {
    return this.b.op('Flatten', [x], { axis: 1 })
  }

  /** The finished model, `y` its output. */
  model(y: string, opset = 17): Model {
    this.#graph.outputs.push({ name: y, type: 'float32', dims: ['N', null] })
    return makeModel(this.#graph, { opset })
  }
}

/** Conv 8, pool, conv 12, pool, dense 5 on 2×8×8 images: the article's shape of network. */
export const smallCnn = (): Model => {
  const net = new Net([2, 8, 8])
  const one = net.pool(net.relu(net.conv('x', 'conv1', [8, 2, 3])))
  const two = net.pool(net.relu(net.conv(one, 'conv2', [12, 8, 3])))
  return net.model(net.dense(net.flatten(two), 'fc', [5, 48]))
}
