import { type DataType, UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { heNormal, type Initializer, truncatedNormal } from './init.ts'
import { batchNorm, conv, flatten, globalAveragePool, linear, maxPool, relu, relu6 } from './layers.ts'
import { invertedResidual } from './mobilenet.ts'
import { buildModel, type Net, type Value, valueNames } from './net.ts'
import { residualStages } from './resnet.ts'
import { embedding, layerNorm, meanOfTokens, patches, positions, tokenLinear, transformerBlock } from './transformer.ts'

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

/** The 3×3 stride comes late, as for all small images: 32 → 16 → 8 → 4. */
const mobilenetSmall: Body = (net, input) => {
  let x = conv(net, 'conv1', input, { to: 16, kernel: 3, pad: 1, bias: false })
  x = relu6(net, batchNorm(net, 'bn1', x))
  for (const [stage, { to, stride, expansion }] of mobileStages.entries()) {
    x = invertedResidual(net, `layer${stage + 1}.0`, x, { to, stride, expansion })
    if (stage > 0) x = invertedResidual(net, `layer${stage + 1}.1`, x, { to, stride: 1, expansion })
  }
  x = relu6(net, batchNorm(net, 'bn2', conv(net, 'conv2', x, { to: 256, kernel: 1, bias: false })))
  return flatten(net, globalAveragePool(net, x), valueNames.features)
}

const mobileStages = [
  { to: 16, stride: 1, expansion: 1 },
  { to: 24, stride: 2, expansion: 6 },
  { to: 32, stride: 2, expansion: 6 },
  { to: 64, stride: 2, expansion: 6 },
]

/** Dosovitskiy et al. 2021 at DeiT-Ti's size (width 192, 12 blocks of 3 heads), 4×4 patches, mean over the tokens. */
const vitTiny: Body = (net, input) => {
  let x = positions(net, 'positions', patches(net, 'patches', input, { to: 192, size: 4 }))
  for (let i = 0; i < 12; i++) x = transformerBlock(net, `blocks.${i}`, x, { heads: 3 })
  return meanOfTokens(net, layerNorm(net, 'norm', x), valueNames.features)
}

/** As GPT-2 (Radford et al. 2019): 4 blocks of 4 heads, width 128. Each position's logits are of the byte after it. */
const gptSmall: Body = (net, input) => {
  let x = positions(net, 'positions', embedding(net, 'embedding', input, { entries: 256, to: 128 }))
  for (let i = 0; i < 4; i++) x = transformerBlock(net, `blocks.${i}`, x, { heads: 4, causal: true })
  return layerNorm(net, 'norm', x, valueNames.features)
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
