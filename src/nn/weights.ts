import { float32, float32Of, type Tensor } from '../base/index.ts'
import { append, type Net } from './net.ts'

/**
 * How a layer's weight stands in the graph: given the layer's name and the starting weight [out, ...rest], adds what is
 * trained and returns the name of the weight to compute with.
 */
export type WeightForm = (net: Net, layer: string, weight: Tensor) => string

/** The weight itself is trained: one initializer, `<layer>.weight`. */
export const plain: WeightForm = (net, layer, weight) => net.b.initializer(`${layer}.weight`, weight)

const axesAfterFirst = (weight: Tensor) => weight.dims.slice(1).map((_, i) => i + 1)

/**
 * Weight normalization: w = g · v / ‖v‖ for each output unit, which parts a weight's length from its direction. Trained
 * are `<layer>.weight_g` [out, 1, …] and `<layer>.weight_v`; g starts at ‖v‖, so that w starts as the weight given.
 * Salimans and Kingma, "Weight normalization", NeurIPS 2016, eq. 2.
 */
export const weightNorm: WeightForm = (net, layer, weight) => {
  const [out = 1, ...rest] = weight.dims
  const v = net.b.initializer(`${layer}.weight_v`, weight)
  const g = net.b.initializer(`${layer}.weight_g`, float32([out, ...rest.map(() => 1)], lengthsOf(weight)))
  const at = (name: string) => `${layer}.weight.${name}`
  const squares = append(net, at('squares'), 'Mul', [v, v])
  const sums = append(net, at('sums'), 'ReduceSum', [squares, net.b.ints(axesAfterFirst(weight), 'axes')], {
    keepdims: 1,
  })
  const norm = append(net, at('norm'), 'Sqrt', [sums])
  const direction = append(net, at('direction'), 'Div', [v, norm])
  return append(net, `${layer}.weight`, 'Mul', [g, direction])
}

/** ‖w‖ of each output unit. */
const lengthsOf = (weight: Tensor): Float32Array => {
  const values = float32Of(weight)
  const out = weight.dims[0] ?? 1
  const size = values.length / out
  return Float32Array.from({ length: out }, (_, unit) => {
    const squares = values.subarray(unit * size, (unit + 1) * size).reduce((sum, x) => sum + x * x, 0)
    return Math.sqrt(squares)
  })
}

/**
 * Weight standardization: every output filter with mean 0 and variance 1, w = (v − mean) / √(var + eps), eps 1e-5.
 * Trained is v, stored as `<layer>.weight`. Qiao et al., "Micro-batch training with batch-channel normalization and weight
 * standardization", 2019, §3, eq. 6. Its scale is left to the normalization that follows the layer.
 */
export const weightStandardization: WeightForm = (net, layer, weight) => {
  const v = net.b.initializer(`${layer}.weight`, weight)
  const at = (name: string) => `${layer}.weight.${name}`
  const over = { axes: axesAfterFirst(weight), keepdims: 1 }
  const mean = append(net, at('mean'), 'ReduceMean', [v], over)
  const centred = append(net, at('centred'), 'Sub', [v, mean])
  const squares = append(net, at('squares'), 'Mul', [centred, centred])
  const variance = append(net, at('variance'), 'ReduceMean', [squares], over)
  const shifted = append(net, at('shifted'), 'Add', [variance, net.b.scalar(1e-5, 'eps')])
  const std = append(net, at('std'), 'Sqrt', [shifted])
  return append(net, at('standardized'), 'Div', [centred, std])
}
