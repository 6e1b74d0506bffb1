import { int64 } from '../../base/index.ts'
import { batchOf, type Dataset, dataset, subset } from '../../data/index.ts'
import { loadDataset } from '../../data/node.ts'
import {
  averagePool,
  batchNorm,
  buildModel,
  conv,
  flatten,
  globalAveragePool,
  heNormal,
  linear,
  maxPool,
  relu,
  residualStages,
} from '../../nn/index.ts'
import type { Model } from '../../onnx/index.ts'
import type { EngineBatch } from '../engine.ts'

let loading: ReturnType<typeof loadDataset> | undefined

/** The first `count` of MNIST's training images, [1, 28, 28]. */
export const digits = async (count: number): Promise<Dataset> => {
  loading ??= loadDataset('mnist')
  const { train } = await loading
  return subset(
    train,
    Array.from({ length: count }, (_, i) => i),
  )
}

/** The same at [1, 14, 14]: every second pixel of every second row. */
export const smallDigits = async (count: number): Promise<Dataset> => {
  const { inputs, labels } = await digits(count)
  const pixels = Uint8Array.from({ length: count * 196 }, (_, i) => {
    const [sample, y, x] = [Math.floor(i / 196), Math.floor((i % 196) / 14), i % 14]
    return inputs[sample * 784 + y * 56 + x * 2]!
  })
  return dataset({ name: 'small digits', inputs: pixels, sampleDims: [1, 14, 14], labels, classes: 10 })
}

/** Two convolutions and a dense layer for [1, 14, 14]; nothing in it mixes samples. */
export const smallCnn = (seed = 0): Model =>
  buildModel('small-cnn', { dims: [1, 14, 14] }, { seed }, (net, input) => {
    let x = maxPool(net, relu(net, conv(net, 'conv1', input, { to: 4, kernel: 3, pad: 1 })), { kernel: 2 })
    x = averagePool(net, relu(net, conv(net, 'conv2', x, { to: 8, kernel: 3, pad: 1 })), { kernel: 2 })
    return linear(net, 'fc', flatten(net, x, 'features'), { to: 10, output: 'logits' })
  })

/** A residual network with batch normalization for [1, 14, 14]: its samples mix, and it has running statistics. */
export const smallResnet = (seed = 0): Model =>
  buildModel('small-resnet', { dims: [1, 14, 14] }, { seed, init: heNormal() }, (net, input) => {
    let x = relu(net, batchNorm(net, 'bn1', conv(net, 'conv1', input, { to: 4, kernel: 3, stride: 2, bias: false })))
    x = residualStages(net, x, { widths: [4, 6], blocks: 1 })
    return linear(net, 'fc', flatten(net, globalAveragePool(net, x), 'features'), { to: 10, output: 'logits' })
  })

/** Samples [from, from + count) as an engine takes them. */
export const engineBatchOf = (data: Dataset, from: number, count: number): EngineBatch => {
  const { inputs, indices } = batchOf(
    data,
    Array.from({ length: count }, (_, i) => from + i),
  )
  return {
    inputs: { input: inputs },
    targets: {
      labels: int64(
        [count],
        Array.from(indices, (i) => data.labels[i]!),
      ),
    },
  }
}

/** Weights by name, each as its bits, so that tests can ask for the same to the last one. */
export const bitsOf = (weights: ReadonlyMap<string, Float32Array>) =>
  Object.fromEntries([...weights].map(([name, values]) => [name, new Uint32Array(values.slice().buffer)]))
