import { freezeAxes, gradOf, inputOf, joinAxes, outputOf, range, reshape, scaled, sum, tensorLike } from './helpers.ts'
import { free, type GradientRule, type Operator } from './types.ts'

/**
 * ∂ det A/∂A = adj(A)ᵀ, which a singular matrix has too. The adjugate by Faddeev and LeVerrier: M₁ = I,
 * M_{k+1} = A·M_k − tr(A·M_k)/k · I, adj(A) = (−1)ⁿ⁻¹ Mₙ (Gantmacher 1959, ch. IV §5).
 */
const gradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const x = inputOf(g.node, 0)
  const dims = g.dims(x)
  const [rank, n] = [dims.length, dims.at(-1)!]
  const identity = g.b.constant(
    tensorLike(
      g.type(x),
      [n, n],
      range(0, n * n).map((i) => (i % (n + 1) === 0 ? 1 : 0)),
    ),
    'identity',
  )
  let m = identity
  for (const k of range(1, n)) {
    const product = k === 1 ? x : g.b.op('MatMul', [x, m])
    const trace = sum(g, g.b.op('Mul', [product, identity]), [rank - 2, rank - 1], true)
    m = g.b.op('Sub', [product, g.b.op('Mul', [scaled(g, x, trace, 1 / k), identity])])
  }
  const turned = n === 1 ? m : g.b.op('Transpose', [m], { perm: [...range(0, rank - 2), rank - 1, rank - 2] })
  const rate = reshape(g, scaled(g, x, dy, n % 2 === 1 ? 1 : -1), [...dims.slice(0, -2), 1, 1])
  return [g.b.op('Mul', [rate, turned])]
}

export const determinant = {
  Det: {
    gradient,
    axes: (a) => {
      const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
      const rank = a.dims(x).length
      joinAxes(a, x, y, range(0, rank - 2))
      freezeAxes(a, x, 'a determinant takes all rows and columns', [rank - 2, rank - 1])
    },
    macs: free,
  },
} satisfies Record<string, Operator>
