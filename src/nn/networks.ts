import { type DataType, UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { heNormal, type Initializer } from './init.ts'
import { batchNorm, conv, flatten, globalAveragePool, linear, maxPool, relu } from './layers.ts'
import { buildModel, type Net, type Value, valueNames } from './net.ts'
import { residualStages } from './resnet.ts'

export type NetworkOptions = {
  /** Seed of the weights; 0 unless said. The same seed gives the same file, byte by byte. */
  seed?: number
  /** Classes told apart; the network's own number unless said. */
  classes?: number
  /** How weights start (biases then at zero); the network's own way unless said. */
  init?: Initializer
}

/** A network that can be asked for by name. */
export type Network = {
  readonly description: string
  /** Shape of one sample, without the batch axis. */
  readonly sampleDims: readonly number[]
  readonly sampleType: DataType
  readonly classes: number
  /** Input `input` [N, ...sampleDims], last hidden value `features` [N, …], output `logits` [N, classes]. */
  build(options?: NetworkOptions): Model
}

/** From the input to the last hidden value, which the body names `features`. */
type Body = (net: Net, input: Value) => Value

type Definition = {
  description: string
  sampleDims: readonly number[]
  /** Name of the classifying layer; 'fc' unless said. */
  classifier?: string
  init?: Initializer
  body: Body
}

const network = (
  name: string,
  { description, sampleDims, classifier = 'fc', init: own, body }: Definition,
): Network => ({
  description,
  sampleDims,
  sampleType: 'float32',
  classes: 10,
  build({ seed = 0, classes = 10, init = own } = {}) {
    if (!(Number.isInteger(classes) && classes > 0))
      throw new UsageError(`classes must be a whole number above 0, not ${classes}`)
    return buildModel(name, { dims: sampleDims }, { seed, ...(init ? { init } : {}) }, (net, input) =>
      linear(net, classifier, body(net, input), { to: classes, output: valueNames.output }),
    )
  },
})

const mnist = [1, 28, 28]
const cifar = [3, 32, 32]

const seedCnn: Body = (net, input) => {
  let x = input
  x = maxPool(net, relu(net, conv(net, 'conv1', x, { to: 16, kernel: 5, pad: 2 })), { kernel: 2 })
  x = maxPool(net, relu(net, conv(net, 'conv2', x, { to: 32, kernel: 5, pad: 2 })), { kernel: 2 })
  return flatten(net, x, valueNames.features)
}

/** Sides 28 → 14 → 7 → 4: 'same' pooling, as the article's first dense layer of 512 = 32 · 4 · 4 inputs shows. */
const tfCnn: Body = (net, input) => {
  let x = input
  for (const [name, to] of [
    ['conv1', 16],
    ['conv2', 32],
    ['conv3', 32],
  ] as const)
    x = maxPool(net, relu(net, conv(net, name, x, { to, kernel: 3, pad: 1 })), { kernel: 2, padding: 'same' })
  x = relu(net, linear(net, 'fc1', flatten(net, x), { to: 128 }))
  return relu(net, linear(net, 'fc2', x, { to: 256 }), valueNames.features)
}

/** As Caffe's example has it: no activation behind the convolutions. */
const lenet5: Body = (net, input) => {
  let x = input
  x = maxPool(net, conv(net, 'conv1', x, { to: 20, kernel: 5 }), { kernel: 2 })
  x = maxPool(net, conv(net, 'conv2', x, { to: 50, kernel: 5 }), { kernel: 2 })
  return relu(net, linear(net, 'fc1', flatten(net, x), { to: 500 }), valueNames.features)
}

const lenet300: Body = (net, input) => {
  const x = relu(net, linear(net, 'fc1', flatten(net, input), { to: 300 }))
  return relu(net, linear(net, 'fc2', x, { to: 100 }), valueNames.features)
}

const vggSmall: Body = (net, input) => {
  let x = input
  for (const [stage, to] of [64, 128, 256].entries()) {
    x = relu(net, conv(net, `conv${stage + 1}_1`, x, { to, kernel: 3, pad: 1 }))
    x = relu(net, conv(net, `conv${stage + 1}_2`, x, { to, kernel: 3, pad: 1 }))
    x = maxPool(net, x, { kernel: 2 })
  }
  return flatten(net, x, valueNames.features)
}

const resnet20: Body = (net, input) => {
  let x = conv(net, 'conv1', input, { to: 16, kernel: 3, pad: 1, bias: false })
  x = residualStages(net, relu(net, batchNorm(net, 'bn1', x)), { widths: [16, 32, 64], blocks: 3 })
  return flatten(net, globalAveragePool(net, x), valueNames.features)
}

/** The networks of the article and of the literature it stands on, by name. */
export const networks: Readonly<Record<string, Network>> = Object.fromEntries(
  Object.entries<Definition>({
    'seed-cnn': {
      description: 'two 5×5 convolutions of 16 and 32 kernels, each with ReLU and 2×2 pooling, and one dense layer',
      sampleDims: mnist,
      body: seedCnn,
    },
    'tf-cnn': {
      description:
        "the article's TensorFlow network: three 3×3 convolutions of 16, 32, 32 and dense layers of 128, 256",
      sampleDims: mnist,
      classifier: 'logits',
      body: tfCnn,
    },
    'lenet-5': {
      description: "Caffe's LeNet: 5×5 convolutions of 20 and 50 kernels, pooled, and a dense layer of 500",
      sampleDims: mnist,
      classifier: 'fc2',
      body: lenet5,
    },
    'lenet-300-100': {
      description: "dense layers of 300 and 100 units (LeCun et al. 1998), the pruning literature's first network",
      sampleDims: mnist,
      classifier: 'fc3',
      body: lenet300,
    },
    'vgg-small': {
      description:
        'pairs of 3×3 convolutions of 64, 128 and 256 kernels, pooled after each pair, for 32×32 colour images',
      sampleDims: cifar,
      init: heNormal(),
      body: vggSmall,
    },
    'resnet-20': {
      description: 'residual network for CIFAR (He et al. 2016, §4.2) with 1×1 convolution shortcuts (option B)',
      sampleDims: cifar,
      init: heNormal(),
      body: resnet20,
    },
  }).map(([name, definition]) => [name, network(name, definition)]),
)

/** The network of that name. @throws UsageError naming those there are. */
export const networkNamed = (name: string): Network => {
  const found = Object.hasOwn(networks, name) ? networks[name] : undefined
  if (!found) throw new UsageError(`no network is called '${name}'; there are ${Object.keys(networks).join(', ')}`)
  return found
}
