import { add, batchNorm, conv, relu } from './layers.ts'
import type { Net, Value } from './net.ts'

export type StagesOptions = {
  /** Channels of each stage; every stage but the first halves the image. */
  widths: readonly number[]
  /** Residual blocks in each stage. */
  blocks: number
}

/**
 * Stages of basic residual blocks, y = ReLU(x + F(x)) with F of two 3×3 convolutions, each batch-normalized.
 * He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016, §3.3 and fig. 2.
 */
export const residualStages = (net: Net, input: Value, { widths, blocks }: StagesOptions): Value => {
  let x = input
  for (const [stage, to] of widths.entries())
    for (let block = 0; block < blocks; block++)
      x = basicBlock(net, `layer${stage + 1}.${block}`, x, { to, stride: stage > 0 && block === 0 ? 2 : 1 })
  return x
}

/** Where the shape changes, the shortcut is a 1×1 convolution with its own normalization: option B of §3.3. */
const basicBlock = (net: Net, name: string, x: Value, { to, stride }: { to: number; stride: number }): Value => {
  const at = (layer: string) => `${name}.${layer}`
  let y = conv(net, at('conv1'), x, { to, kernel: 3, stride, pad: 1, bias: false })
  y = relu(net, batchNorm(net, at('bn1'), y))
  y = batchNorm(net, at('bn2'), conv(net, at('conv2'), y, { to, kernel: 3, pad: 1, bias: false }))
  const changes = stride !== 1 || x.dims[0] !== to
  const shortcut = changes
    ? batchNorm(net, at('downsample.1'), conv(net, at('downsample.0'), x, { to, kernel: 1, stride, bias: false }))
    : x
  return relu(net, add(net, at('add'), y, shortcut))
}
