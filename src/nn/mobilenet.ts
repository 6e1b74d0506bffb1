import { add, batchNorm, conv, relu6 } from './layers.ts'
import type { Net, Value } from './net.ts'

export type InvertedResidualOptions = {
  to: number
  stride: number
  /** How many times wider the block is inside. */
  expansion: number
}

/**
 * Widened by a 1×1 convolution, filtered channel by channel, and narrowed again without activation; the input is added
 * where the shape stays. Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018, §3.3.
 */
export const invertedResidual = (net: Net, name: string, x: Value, options: InvertedResidualOptions): Value => {
  const { to, stride, expansion } = options
  const at = (part: string) => `${name}.${part}`
  const from = x.dims[0] ?? 1
  const wide = from * expansion
  let y = x
  if (expansion > 1)
    y = relu6(net, batchNorm(net, at('expand_bn'), conv(net, at('expand'), y, { to: wide, kernel: 1, bias: false })))
  const depthwise = { to: wide, kernel: 3, stride, pad: 1, groups: wide, bias: false }
  y = relu6(net, batchNorm(net, at('depthwise_bn'), conv(net, at('depthwise'), y, depthwise)))
  y = batchNorm(net, at('project_bn'), conv(net, at('project'), y, { to, kernel: 1, bias: false }))
  return stride === 1 && from === to ? add(net, at('add'), y, x) : y
}
