import { sizeOf } from '../base/index.ts'
import { floatOf, intOf } from '../onnx/index.ts'
import { einsum } from './einsum.ts'
import { at, hasInput, inputOf, joinBroadcast, outputOf, range, reshape, scaled, sumTo } from './helpers.ts'
import { gemmSizes, matmulSizes } from './sizes/layers.ts'
import type { AxisContext, GradientContext, Operator } from './types.ts'

export const matmul = {
  Gemm: {
    // Y = αA′B′ + βC, where A′ is A or Aᵀ. By ⟨dY, dA′B′⟩ = ⟨dY B′ᵀ, dA′⟩:  ∂L/∂A′ = α dY B′ᵀ,  ∂L/∂B′ = α A′ᵀ dY,
    // transposed again where A or B were; ∂L/∂C = β dY summed over what C was stretched along.
    gradient: (g) => {
      const dy = g.grads[0]
      if (dy === undefined) return []
      const [a, b] = [inputOf(g.node, 0), inputOf(g.node, 1)]
      const [ta, tb] = [intOf(g.node, 'transA', 0), intOf(g.node, 'transB', 0)]
      const alpha = floatOf(g.node, 'alpha', 1)
      const gemm = (left: string, right: string, transA: number, transB: number) =>
        g.b.op('Gemm', [left, right], { transA, transB, alpha: { type: 'FLOAT', value: alpha } })
      const bias = () => {
        const grad = sumTo(g, dy, g.dims(outputOf(g.node, 0)), g.dims(inputOf(g.node, 2)))
        return scaled(g, a, grad, floatOf(g.node, 'beta', 1))
      }
      return [
        g.wants(0) ? (ta ? gemm(b, dy, tb, 1) : gemm(dy, b, 0, 1 - tb)) : undefined,
        g.wants(1) ? (tb ? gemm(dy, a, 1, ta) : gemm(a, dy, 1 - ta, 0)) : undefined,
        hasInput(g.node, 2) && g.wants(2) ? bias() : undefined,
      ]
    },
    axes: (x) => {
      const [a, b, y] = [inputOf(x.node, 0), inputOf(x.node, 1), outputOf(x.node, 0)]
      const [ta, tb] = [intOf(x.node, 'transA', 0), intOf(x.node, 'transB', 0)]
      x.join(at(a, ta), at(y, 0))
      x.join(at(a, 1 - ta), at(b, tb))
      x.join(at(b, 1 - tb), at(y, 1))
      if (hasInput(x.node, 2)) joinBroadcast(x, inputOf(x.node, 2), y)
    },
    macs: (m) => sizeOf(m.dims(outputOf(m.node, 0))) * m.dims(inputOf(m.node, 0))[1 - intOf(m.node, 'transA', 0)]!,
    sizes: gemmSizes,
  },

  MatMul: {
    // numpy's product over the last two axes: ∂L/∂A = dY Bᵀ and ∂L/∂B = Aᵀ dY, summed over the batch axes that were
    // stretched; a vector is a matrix of one row (A) or one column (B).
    gradient: (g) => {
      const dy = g.grads[0]
      if (dy === undefined) return []
      const [aDims, bDims] = [g.dims(inputOf(g.node, 0)), g.dims(inputOf(g.node, 1))]
      const product = asMatrices(g, dy, aDims, bDims)
      return [
        g.wants(0) ? shaped(g, leftGradient(g, product), product.a, aDims) : undefined,
        g.wants(1) ? shaped(g, rightGradient(g, product), product.b, bDims) : undefined,
      ]
    },
    axes: (x) => matmulAxes(x, { a: inputOf(x.node, 0), b: inputOf(x.node, 1) }),
    macs: (m) => sizeOf(m.dims(outputOf(m.node, 0))) * m.dims(inputOf(m.node, 0)).at(-1)!,
    sizes: matmulSizes,
  },

  Einsum: einsum,
} satisfies Record<string, Operator>

/** A product with both operands at least matrices. Names of the operands so shaped, and their dims. */
type Product = {
  readonly left: string
  readonly right: string
  readonly dy: string
  readonly a: readonly number[]
  readonly b: readonly number[]
  readonly y: readonly number[]
}

const asMatrices = (g: GradientContext, dy: string, aDims: readonly number[], bDims: readonly number[]): Product => {
  const a = aDims.length === 1 ? [1, ...aDims] : aDims
  const b = bDims.length === 1 ? [...bDims, 1] : bDims
  const out = g.dims(outputOf(g.node, 0))
  const batch = out.slice(0, out.length - (aDims.length > 1 ? 1 : 0) - (bDims.length > 1 ? 1 : 0))
  const y = [...batch, a.at(-2)!, b.at(-1)!]
  return {
    left: shaped(g, inputOf(g.node, 0), aDims, a),
    right: shaped(g, inputOf(g.node, 1), bDims, b),
    dy: shaped(g, dy, out, y),
    a,
    b,
    y,
  }
}

const shaped = (g: GradientContext, x: string, from: readonly number[], to: readonly number[]): string =>
  from.join() === to.join() ? x : reshape(g, x, to)

const transposed = (g: GradientContext, x: string, rank: number): string =>
  g.b.op('Transpose', [x], { perm: [...range(0, rank - 2), rank - 1, rank - 2] })

/** Rows of all batches as one matrix: reshaping is free where a batch of small products is not. */
const flat = (g: GradientContext, x: string, dims: readonly number[]): string =>
  shaped(g, x, dims, [sizeOf(dims.slice(0, -1)), dims.at(-1)!])

const leftGradient = (g: GradientContext, p: Product): string => {
  const stretched = [...p.y.slice(0, -1), p.a.at(-1)!]
  if (p.b.length === 2) {
    const rows = g.b.op('Gemm', [flat(g, p.dy, p.y), p.right], { transB: 1 })
    return sumTo(g, shaped(g, rows, [sizeOf(stretched.slice(0, -1)), stretched.at(-1)!], stretched), stretched, p.a)
  }
  return sumTo(g, g.b.op('MatMul', [p.dy, transposed(g, p.right, p.b.length)]), stretched, p.a)
}

const rightGradient = (g: GradientContext, p: Product): string => {
  // A weight shared by all batches sums over them: one product with the batches in its inner dimension does both.
  if (p.b.length === 2) return g.b.op('Gemm', [flat(g, p.left, p.a), flat(g, p.dy, p.y)], { transA: 1 })
  const stretched = [...p.y.slice(0, -2), p.a.at(-1)!, p.y.at(-1)!]
  return sumTo(g, g.b.op('MatMul', [transposed(g, p.left, p.a.length), p.dy]), stretched, p.b)
}

/** The factors' names and, where they are read in another order of axes, the order. */
export type Factors = {
  readonly a: string
  readonly b: string
  readonly orderA?: readonly number[]
  readonly orderB?: readonly number[]
}

/** Contracted axes unify; rows of A and columns of B pass; batch axes pass as in broadcasting. */
export const matmulAxes = (x: AxisContext, { a, b, orderA, orderB }: Factors): void => {
  const y = outputOf(x.node, 0)
  const [ra, rb, ry] = [x.dims(a).length, x.dims(b).length, x.dims(y).length]
  const left = (axis: number) => at(a, orderA?.[axis] ?? axis)
  const right = (axis: number) => at(b, orderB?.[axis] ?? axis)
  x.join(left(ra - 1), right(Math.max(rb - 2, 0)))
  const columns = rb > 1 ? 1 : 0
  if (ra > 1) x.join(left(ra - 2), at(y, ry - 1 - columns))
  if (rb > 1) x.join(right(rb - 1), at(y, ry - 1))
  const batch = ry - columns - (ra > 1 ? 1 : 0)
  for (const [refOf, rank] of [
    [left, ra],
    [right, rb],
  ] as const)
    for (const axis of range(0, rank - 2)) {
      const [ref, other] = [refOf(axis), at(y, batch - (rank - 2) + axis)]
      if (x.dims(ref.value)[ref.axis] === x.dims(y)[other.axis]) x.join(ref, other)
      else x.freeze(ref, 'an axis of size 1 stretched by broadcasting has no index to lose')
    }
}
