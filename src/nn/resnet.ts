import { add, batchNorm, type ConvOptions, conv, relu } from './layers.ts'
import type { Net, Value } from './net.ts'

export type StagesOptions = {
  /** Channels of each stage; every stage but the first halves the image. */
  widths: readonly number[]
  /** Residual blocks in each stage. */
  blocks: number
  /** Batch normalization behind every convolution; true. Without it convolutions have a bias. */
  norm?: boolean
}

/**
 * Stages of basic residual blocks, y = ReLU(x + F(x)) with F of two 3×3 convolutions, each batch-normalized.
 * He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016, §3.3 and fig. 2.
 */
export const residualStages = (net: Net, input: Value, { widths, blocks, norm = true }: StagesOptions): Value => {
  let x = input
  for (const [stage, to] of widths.entries())
    for (let block = 0; block < blocks; block++)
      x = basicBlock(net, `layer${stage + 1}.${block}`, x, { to, stride: stage > 0 && block === 0 ? 2 : 1, norm })
  return x
}

/** Where the shape changes, the shortcut is a 1×1 convolution with its own normalization: option B of §3.3. */
const basicBlock = (
  net: Net,
  name: string,
  x: Value,
  { to, stride, norm }: { to: number; stride: number; norm: boolean },
): Value => {
  const at = (layer: string) => `${name}.${layer}`
  const step = (from: Value, layer: string, bn: string, options: ConvOptions) =>
    norm
      ? batchNorm(net, at(bn), conv(net, at(layer), from, { ...options, bias: false }))
      : conv(net, at(layer), from, options)
  let y = relu(net, step(x, 'conv1', 'bn1', { to, kernel: 3, stride, pad: 1 }))
  y = step(y, 'conv2', 'bn2', { to, kernel: 3, pad: 1 })
  const changes = stride !== 1 || x.dims[0] !== to
  const shortcut = changes ? step(x, 'downsample.0', 'downsample.1', { to, kernel: 1, stride }) : x
  return relu(net, add(net, at('add'), y, shortcut))
}
