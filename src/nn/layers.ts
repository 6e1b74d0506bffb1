import { EspalierError, float32, sizeOf } from '../base/index.ts'
import { float } from '../onnx/index.ts'
import { fansOf, ones, zeros } from './init.ts'
import { append, drawn, type Net, type Value } from './net.ts'
import { plain, type WeightForm } from './weights.ts'

export type ConvOptions = {
  /** Output channels. */
  to: number
  /** Side of the square kernel. */
  kernel: number
  /** 1 unless said. */
  stride?: number
  /** Zeros put around the image on every side; 0 unless said. */
  pad?: number
  /** Groups the channels are split into; 1 unless said. */
  groups?: number
  /** True unless said; a convolution before a batch normalization needs none. */
  bias?: boolean
  weight?: WeightForm
}

/** Convolution of [C, H, W]: `<name>.weight` [out, in / groups, k, k] and `<name>.bias` [out]. */
export const conv = (net: Net, name: string, x: Value, options: ConvOptions): Value => {
  const { to, kernel, stride = 1, pad = 0, groups = 1, bias = true, weight = plain } = options
  const [channels, ...image] = imageOf(x, name)
  const dims = [to, channels / groups, kernel, kernel]
  const inputs = [x.name, weight(net, name, float32(dims, net.weight(dims, net.random)))]
  if (bias) inputs.push(drawn(net, `${name}.bias`, [to], net.bias(fansOf(dims).fanIn)))
  const value = append(net, name, 'Conv', inputs, {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
    group: groups,
  })
  const side = (size: number) => Math.floor((size + 2 * pad - kernel) / stride) + 1
  return { name: value, dims: [to, ...image.map(side)], layer: name }
}

export type LinearOptions = {
  /** Output features. */
  to: number
  bias?: boolean
  weight?: WeightForm
  /** Name of the value it gives; the layer's own unless said. */
  output?: string
}

/** Fully connected: y = x·Wᵀ + b with `<name>.weight` [out, in] and `<name>.bias` [out], a Gemm. */
export const linear = (net: Net, name: string, x: Value, options: LinearOptions): Value => {
  const { to, bias = true, weight = plain, output } = options
  const [from] = x.dims
  if (from === undefined || x.dims.length !== 1)
    throw new EspalierError(
      `layer '${name}' takes [N, features] and was given [N, ${x.dims.join(', ')}]; flatten first`,
    )
  const dims = [to, from]
  const inputs = [x.name, weight(net, name, float32(dims, net.weight(dims, net.random)))]
  if (bias) inputs.push(drawn(net, `${name}.bias`, [to], net.bias(from)))
  return { name: append(net, name, 'Gemm', inputs, { transB: 1 }, output), dims: [to], layer: name }
}

/** max(0, x). */
export const relu = (net: Net, x: Value, output?: string): Value => ({
  ...x,
  name: append(net, `${x.layer}.relu`, 'Relu', [x.name], {}, output),
})

/** min(max(0, x), 6), which keeps activations within reach of few bits. */
export const relu6 = (net: Net, x: Value): Value => ({
  ...x,
  name: append(net, `${x.layer}.relu6`, 'Clip', [x.name, net.b.scalar(0, 'zero'), net.b.scalar(6, 'six')]),
})

export type PoolOptions = {
  kernel: number
  /** The kernel's side unless said. */
  stride?: number
  /**
   * 'valid' drops what does not fill a window; 'same' pads after the last row and column, so that the output has
   * ⌈size / stride⌉ of each, as TensorFlow's SAME does for windows no larger than twice the stride.
   */
  padding?: 'valid' | 'same'
}

/** Largest of each window. */
export const maxPool = (net: Net, x: Value, options: PoolOptions): Value => pool(net, 'MaxPool', x, options)

/** Mean of each window; padding does not count. */
export const averagePool = (net: Net, x: Value, options: PoolOptions): Value => pool(net, 'AveragePool', x, options)

const pool = (
  net: Net,
  opType: string,
  x: Value,
  { kernel, stride = kernel, padding = 'valid' }: PoolOptions,
): Value => {
  const [channels, ...image] = imageOf(x, `${x.layer}.pool`)
  const sides = image.map((size) => {
    if (padding === 'valid') return { after: 0, size: Math.floor((size - kernel) / stride) + 1 }
    const ceiled = Math.ceil(size / stride)
    return { after: Math.max(0, (ceiled - 1) * stride + kernel - size), size: ceiled }
  })
  const value = append(net, `${x.layer}.pool`, opType, [x.name], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [0, 0, ...sides.map((side) => side.after)],
  })
  return { ...x, name: value, dims: [channels, ...sides.map((side) => side.size)] }
}

/** Mean over the whole image: [C, H, W] to [C, 1, 1]. */
export const globalAveragePool = (net: Net, x: Value): Value => ({
  ...x,
  name: append(net, `${x.layer}.pool`, 'GlobalAveragePool', [x.name]),
  dims: [imageOf(x, `${x.layer}.pool`)[0], 1, 1],
})

/**
 * Batch normalization in its exported form, with running statistics `<name>.running_mean` and `.running_var`; scale
 * `<name>.weight` starts at 1, shift `<name>.bias` at 0; eps 1e-5, momentum 0.9. Differentiation gives it its training form.
 * Ioffe and Szegedy, "Batch normalization", ICML 2015, algorithms 1 and 2.
 */
export const batchNorm = (net: Net, name: string, x: Value): Value => {
  const [channels = 1] = x.dims
  const parameters = [
    drawn(net, `${name}.weight`, [channels], ones),
    drawn(net, `${name}.bias`, [channels], zeros),
    drawn(net, `${name}.running_mean`, [channels], zeros),
    drawn(net, `${name}.running_var`, [channels], ones),
  ]
  const value = append(net, name, 'BatchNormalization', [x.name, ...parameters], {
    epsilon: float(1e-5),
    momentum: float(0.9),
  })
  return { ...x, name: value, layer: name }
}

/** All of a sample's axes as one. */
export const flatten = (net: Net, x: Value, output?: string): Value => ({
  ...x,
  name: append(net, `${x.layer}.flatten`, 'Flatten', [x.name], { axis: 1 }, output),
  dims: [sizeOf(x.dims)],
})

/** Passes everything on in inference; in training zeroes a share `ratio` of the values and scales the rest up. */
export const dropout = (net: Net, x: Value, ratio = 0.5): Value => ({
  ...x,
  name: append(net, `${x.layer}.dropout`, 'Dropout', [x.name, net.b.scalar(ratio, 'ratio')]),
})

/** The sum of two values of one shape: a residual connection. */
export const add = (net: Net, name: string, a: Value, b: Value): Value => {
  if (a.dims.join() !== b.dims.join())
    throw new EspalierError(`layer '${name}' adds [${a.dims.join(', ')}] and [${b.dims.join(', ')}]`)
  return { name: append(net, name, 'Add', [a.name, b.name]), dims: a.dims, layer: name }
}

const imageOf = (x: Value, layer: string): [channels: number, height: number, width: number] => {
  const [channels, height, width, more] = x.dims
  if (channels === undefined || height === undefined || width === undefined || more !== undefined)
    throw new EspalierError(
      `layer '${layer}' takes [N, channels, height, width] and was given [N, ${x.dims.join(', ')}]`,
    )
  return [channels, height, width]
}
