import { intOf } from '../onnx/index.ts'
import { expand, filled, frontAxis, inputOf, reshape } from './helpers.ts'
import type { GradientContext, NodeContext } from './types.ts'

export const rankOf = (c: NodeContext) => c.dims(inputOf(c.node, 0)).length

export const axisOf = (c: NodeContext, absent = 0) => frontAxis(intOf(c.node, 'axis', absent), rankOf(c))

/**
 * Zeros of shape `dims` with slices of `dy` added along `axis` where `indices` say. ScatterND would want no copies of the
 * indices, but where several updates meet ONNX Runtime 1.30 loses some of them as soon as it has two threads.
 */
export const scatterRows = (
  g: GradientContext,
  like: string,
  dims: readonly number[],
  axis: number,
  indices: string,
  dy: string,
  count: number,
): string => {
  const column = dims.map((_, i) => (i === axis ? count : 1))
  const places = expand(
    g,
    reshape(g, indices, column),
    dims.map((dim, i) => (i === axis ? count : dim)),
  )
  return g.b.op('ScatterElements', [filled(g, like, dims, 0), places, dy], { axis, reduction: 'add' })
}

/** Indices as int64, which every scattering operator takes. */
export const indices64 = (g: GradientContext, indices: string): string =>
  g.type(indices) === 'int64' ? indices : g.b.op('Cast', [indices], { to: 7 })
