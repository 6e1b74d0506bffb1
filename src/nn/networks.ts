import { type DataType, UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import {
  type Body,
  gptSmall,
  lenet5,
  lenet300,
  mobilenetSmall,
  resnet20,
  resnetSmall,
  seedCnn,
  tfCnn,
  vggSmall,
  vitTiny,
} from './bodies.ts'
import { heNormal, type Initializer, truncatedNormal } from './init.ts'
import { linear } from './layers.ts'
import { buildModel, valueNames } from './net.ts'
import { tokenLinear } from './transformer.ts'

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

type Definition = {
  description: string
  sampleDims: readonly number[]
  sampleType?: DataType
  /** 10 unless said. */
  classes?: number
  /** Name of the classifying layer; 'fc' unless said. */
  classifier?: string
  /** The classifying layer; dense unless said. */
  head?: typeof linear
  init?: Initializer
  body: Body
}

const network = (name: string, definition: Definition): Network => {
  const { description, sampleDims, sampleType = 'float32', classifier = 'fc', head = linear, body } = definition
  const ownClasses = definition.classes ?? 10
  return {
    description,
    sampleDims,
    sampleType,
    classes: ownClasses,
    build({ seed = 0, classes = ownClasses, init = definition.init } = {}) {
      if (!(Number.isInteger(classes) && classes > 0))
        throw new UsageError(`classes must be a whole number above 0, not ${classes}`)
      const sample = { dims: sampleDims, type: sampleType }
      return buildModel(name, sample, { seed, ...(init ? { init } : {}) }, (net, input) =>
        head(net, classifier, body(net, input), { to: classes, output: valueNames.output }),
      )
    },
  }
}

const mnist = [1, 28, 28]
const cifar = [3, 32, 32]

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
    'resnet-small': {
      description: 'three residual blocks of 8, 16 and 32 channels with batch normalization, for 28×28 images',
      sampleDims: mnist,
      init: heNormal(),
      body: resnetSmall({ norm: true }),
    },
    'resnet-small-plain': {
      description: 'the same residual blocks without normalization',
      sampleDims: mnist,
      init: heNormal(),
      body: resnetSmall({ norm: false }),
    },
    'mobilenet-small': {
      description: 'inverted residuals with depthwise convolutions (MobileNetV2), for 32×32 colour images',
      sampleDims: cifar,
      init: heNormal({ fan: 'out' }),
      body: mobilenetSmall,
    },
    'vit-tiny': {
      description: 'vision transformer of width 192, 12 blocks of 3 heads, on the 64 patches of a 32×32 colour image',
      sampleDims: cifar,
      init: truncatedNormal(),
      body: vitTiny,
    },
    'gpt-small': {
      description: 'language model over bytes: 4 causal transformer blocks of width 128, 4 heads, 64 tokens',
      sampleDims: [64],
      sampleType: 'int64',
      classes: 256,
      head: tokenLinear,
      init: truncatedNormal(),
      body: gptSmall,
    },
  }).map(([name, definition]) => [name, network(name, definition)]),
)

/** The network of that name. @throws UsageError naming those there are. */
export const networkNamed = (name: string): Network => {
  const found = Object.hasOwn(networks, name) ? networks[name] : undefined
  if (!found) throw new UsageError(`no network is called '${name}'; there are ${Object.keys(networks).join(', ')}`)
  return found
}
