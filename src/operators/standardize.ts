import { filled, reshape, scalarLike, scaled, sum } from './helpers.ts'
import type { GradientContext } from './types.ts'

/** Rows brought to mean 0 and variance 1: n = (x − μ)/σ, [rows, columns], and 1/σ, [rows, 1]. */
export type Standardized = { readonly normal: string; readonly inverse: string; readonly columns: number }

/** Standardizes the rows of `x` (of the element type of `like`) by one LayerNormalization with γ = 1, β = 0. Opset 17. */
export const standardize = (
  g: GradientContext,
  like: string,
  x: string,
  size: { readonly rows: number; readonly columns: number },
  epsilon: number,
): Standardized => {
  const { rows, columns } = size
  const one = filled(g, like, [columns], 1)
  const [normal, , inverse] = g.b.ops('LayerNormalization', [reshape(g, x, [rows, columns]), one], 3, {
    axis: 1,
    epsilon: { type: 'FLOAT', value: epsilon },
  })
  // The operator gives 1/σ in single precision whatever its input's type.
  const single = g.type(like) === 'float32'
  return { normal: normal!, inverse: single ? inverse! : g.b.op('CastLike', [inverse!, x]), columns }
}

/** Scales the rows of `x` to mean square 1: n = x/ρ with ρ² = mean x² + ε. */
export const rootMeanSquare = (
  g: GradientContext,
  like: string,
  x: string,
  size: { readonly rows: number; readonly columns: number },
  epsilon: number,
): Standardized => {
  const flat = reshape(g, x, [size.rows, size.columns])
  const square = scaled(g, like, sum(g, g.b.op('Mul', [flat, flat]), [1], true), 1 / size.columns)
  const root = g.b.op('Sqrt', [g.b.op('Add', [square, scalarLike(g, like, epsilon)])])
  const inverse = g.b.op('Reciprocal', [root])
  return { normal: g.b.op('Mul', [flat, inverse]), inverse, columns: size.columns }
}

/**
 * ∂L/∂x of n = (x − μ)/σ over rows of m, given dn = ∂L/∂n:  (dn − mean dn − n · mean(dn·n)) / σ.
 * Both subtracted terms are what moves μ and σ: the gradient has no part along 1 or n (Ba, Kiros and Hinton 2016). Without
 * a mean to subtract (RMS) the first is missing (Zhang and Sennrich 2019, §4).
 */
export const standardizedGradient = (
  g: GradientContext,
  like: string,
  dn: string,
  { normal, inverse, columns }: Standardized,
  centred: boolean,
): string => {
  const mean = (x: string) => scaled(g, like, sum(g, x, [1], true), 1 / columns)
  const along = g.b.op('Mul', [normal, mean(g.b.op('Mul', [dn, normal]))])
  const level = centred ? g.b.op('Sub', [dn, mean(dn)]) : dn
  return g.b.op('Mul', [g.b.op('Sub', [level, along]), inverse])
}
