import { batchNorm, conv, flatten, globalAveragePool, linear, maxPool, relu, relu6 } from './layers.ts'
import { invertedResidual } from './mobilenet.ts'
import { type Net, type Value, valueNames } from './net.ts'
import { residualStages } from './resnet.ts'
import { embedding, layerNorm, meanOfTokens, patches, positions, transformerBlock } from './transformer.ts'

/** From the input to the last hidden value, which the body names `features`. */
export type Body = (net: Net, input: Value) => Value

/** The article's first network: two 5×5 convolutions, each with a pool. */
export const seedCnn: Body = (net, input) => {
  let x = input
  x = maxPool(net, relu(net, conv(net, 'conv1', x, { to: 16, kernel: 5, pad: 2 })), { kernel: 2 })
  x = maxPool(net, relu(net, conv(net, 'conv2', x, { to: 32, kernel: 5, pad: 2 })), { kernel: 2 })
  return flatten(net, x, valueNames.features)
}

/** Sides 28 → 14 → 7 → 4: 'same' pooling, as the article's first dense layer of 512 = 32 · 4 · 4 inputs shows. */
export const tfCnn: Body = (net, input) => {
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
export const lenet5: Body = (net, input) => {
  let x = input
  x = maxPool(net, conv(net, 'conv1', x, { to: 20, kernel: 5 }), { kernel: 2 })
  x = maxPool(net, conv(net, 'conv2', x, { to: 50, kernel: 5 }), { kernel: 2 })
  return relu(net, linear(net, 'fc1', flatten(net, x), { to: 500 }), valueNames.features)
}

/** Two dense layers of 300 and 100 units (LeCun et al. 1998). */
export const lenet300: Body = (net, input) => {
  const x = relu(net, linear(net, 'fc1', flatten(net, input), { to: 300 }))
  return relu(net, linear(net, 'fc2', x, { to: 100 }), valueNames.features)
}

/** Three stages of two 3×3 convolutions and a pool, of 64, 128 and 256 channels (after Simonyan and Zisserman 2015). */
export const vggSmall: Body = (net, input) => {
  let x = input
  for (const [stage, to] of [64, 128, 256].entries()) {
    x = relu(net, conv(net, `conv${stage + 1}_1`, x, { to, kernel: 3, pad: 1 }))
    x = relu(net, conv(net, `conv${stage + 1}_2`, x, { to, kernel: 3, pad: 1 }))
    x = maxPool(net, x, { kernel: 2 })
  }
  return flatten(net, x, valueNames.features)
}

/** He et al. 2016, §4.2: CIFAR's ResNet of n = 3. */
export const resnet20: Body = (net, input) => {
  let x = conv(net, 'conv1', input, { to: 16, kernel: 3, pad: 1, bias: false })
  x = residualStages(net, relu(net, batchNorm(net, 'bn1', x)), { widths: [16, 32, 64], blocks: 3 })
  return flatten(net, globalAveragePool(net, x), valueNames.features)
}

/** He et al. 2016's CIFAR network at n = 1, a quarter as wide and on a quarter of the pixels: a stride of 2 comes first. */
export const resnetSmall =
  ({ norm }: { norm: boolean }): Body =>
  (net, input) => {
    const stem = { to: 8, kernel: 3, stride: 2, pad: 1 }
    let x = norm
      ? batchNorm(net, 'bn1', conv(net, 'conv1', input, { ...stem, bias: false }))
      : conv(net, 'conv1', input, stem)
    x = residualStages(net, relu(net, x), { widths: [8, 16, 32], blocks: 1, norm })
    return flatten(net, globalAveragePool(net, x), valueNames.features)
  }

/** The 3×3 stride comes late, as for all small images: 32 → 16 → 8 → 4. */
export const mobilenetSmall: Body = (net, input) => {
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
export const vitTiny: Body = (net, input) => {
  let x = positions(net, 'positions', patches(net, 'patches', input, { to: 192, size: 4 }))
  for (let i = 0; i < 12; i++) x = transformerBlock(net, `blocks.${i}`, x, { heads: 3 })
  return meanOfTokens(net, layerNorm(net, 'norm', x), valueNames.features)
}

/** As GPT-2 (Radford et al. 2019): 4 blocks of 4 heads, width 128. Each position's logits are of the byte after it. */
export const gptSmall: Body = (net, input) => {
  let x = positions(net, 'positions', embedding(net, 'embedding', input, { entries: 256, to: 128 }))
  for (let i = 0; i < 4; i++) x = transformerBlock(net, `blocks.${i}`, x, { heads: 4, causal: true })
  return layerNorm(net, 'norm', x, valueNames.features)
}
