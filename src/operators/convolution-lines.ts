import { sizeOf } from '../base/index.ts'
import type { Convolution } from './convolution.ts'
import { range, reshape, sum, transpose } from './helpers.ts'
import type { GradientContext } from './types.ts'

/**
 * How the positions of a batch lie on lines that products sum over: `apart` samples have lines of their own, and of each
 * position `together` samples stand side by side.
 */
export type Layout = { readonly apart: number; readonly together: number }

/**
 * Samples stay where they are if a sum of N products is little beside moving them last; and moved last, whatever moves
 * along any axis of positions copies runs of N values.
 */
export const layoutOf = ({ windows: { kernel }, x, y }: Convolution): Layout => {
  const product = sizeOf(kernel) * x[1]! * y[1]!
  const alone = 2 * product <= sizeOf(x.slice(1)) + sizeOf(y.slice(1))
  return alone ? { apart: x[0]!, together: 1 } : { apart: 1, together: x[0]! }
}

/** Values [N, channels, positions…] as [apart, channels, positions…, together]. */
export const laidOut = (
  g: GradientContext,
  { apart, together }: Layout,
  value: string,
  [, ...dims]: readonly number[],
): string => {
  const moved = together === 1 ? value : transpose(g, value, [...range(1, dims.length + 1), 0])
  return reshape(g, moved, [apart, ...dims, together])
}

/** Rows [apart, rows, length]. */
export type Lines = { readonly value: string; readonly dims: readonly [apart: number, rows: number, length: number] }

/**
 * Σ A·Bᵀ over what stands apart, [A's rows, B's rows]. ONNX Runtime's product shares rows among threads, each of which then
 * packs all of B; where rows are far longer than they are many, packing is half the work, and two products of half a row each
 * do it once.
 */
export const productOfLines = (g: GradientContext, a: Lines, b: Lines): string => {
  const [apart, rows, length] = a.dims
  const product = (left: string, right: string) => sum(g, g.b.op('MatMul', [left, right]), [0])
  if (apart > 1) return product(a.value, transpose(g, b.value, [0, 2, 1]))
  const as = (side: Lines, dims: readonly number[]) => reshape(g, side.value, [side.dims[1], ...dims])
  const halved = length % 2 === 0 && length >= 8 * Math.max(rows, b.dims[1])
  if (!halved) return g.b.op('Gemm', [as(a, [length]), as(b, [length])], { transB: 1 })
  const halves = (side: Lines, perm: readonly number[]) => transpose(g, as(side, [2, length / 2]), perm)
  return product(halves(a, [1, 0, 2]), halves(b, [1, 2, 0]))
}
