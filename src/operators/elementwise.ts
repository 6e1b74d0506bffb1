import { numbersOf, sizeOf } from '../base/index.ts'
import { type Calculator, calculator, cast } from './calculator.ts'
import { gradOf, inputOf, joinBroadcast, outputOf, sumTo } from './helpers.ts'
import { broadcastSizes } from './sizes/elementwise.ts'
import { type AxisRule, free, type GradientContext, type GradientRule, type Operator, stops } from './types.ts'

/** Every input is broadcast to the output (numpy's rules): equal axes live and die together. */
const broadcast: AxisRule = (a) => {
  for (const input of a.node.inputs) if (input) joinBroadcast(a, input, outputOf(a.node, 0))
}

/** What the derivative of y = f(a, b) is written in: value names, and arithmetic on them. */
type Binary = Calculator & { a: string; b: string; y: string; dy: string; g: GradientContext }

/** An operator of two inputs from ∂L/∂a and ∂L/∂b, written as if nothing were broadcast; the sums are added here. */
const binary = (da: (t: Binary) => string, db: (t: Binary) => string): Operator => ({
  gradient: (g) => {
    const dy = gradOf(g)
    const [a, b, y] = [inputOf(g.node, 0), inputOf(g.node, 1), outputOf(g.node, 0)]
    if (dy === undefined) return []
    const terms: Binary = { ...calculator(g, a), a, b, y, dy, g }
    const back = (x: string, grad: string) => sumTo(g, grad, g.dims(y), g.dims(x))
    return [g.wants(0) ? back(a, da(terms)) : undefined, g.wants(1) ? back(b, db(terms)) : undefined]
  },
  axes: broadcast,
  macs: free,
  sizes: broadcastSizes,
})

/** The exponent in the base's type: Pow lets the two differ. */
const exponent = ({ g, a, b }: Binary): string => (g.type(a) === g.type(b) ? b : cast(g, b, g.type(a)))

/** The value of a constant of one element. */
const constantOf = (g: GradientContext, name: string): number | undefined => {
  const tensor = g.constant(name)
  const values = tensor && sizeOf(tensor.dims) === 1 ? numbersOf(tensor) : []
  return values[0]
}

/** y = aᵇ: ∂L/∂a = dy·b·aᵇ⁻¹; a constant exponent becomes constants, the square a sum. */
const powerBase = (t: Binary): string => {
  const b = constantOf(t.g, t.b)
  if (b === 2) return t.mul(t.dy, t.add(t.a, t.a))
  if (b !== undefined) return t.mul(t.dy, t.mul(t.pow(t.a, b - 1), b))
  return t.mul(t.dy, t.mul(exponent(t), t.pow(t.a, t.sub(exponent(t), 1))))
}

/** y = aᵇ: ∂L/∂b = dy·y·ln a, and 0 at a = 0, the limit for b > 0. */
const powerExponent = (t: Binary): string => t.mul(t.dy, t.where(t.equal(t.a, 0), 0, t.mul(t.y, t.log(t.a))))

/**
 * y = max(x₁ … xₙ) or min: ∂L/∂xᵢ = dy where xᵢ = y, shared equally among those that tie.
 */
const extremum: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const y = outputOf(g.node, 0)
  const c = calculator(g, y)
  const hits = g.node.inputs.map((x) => c.indicator(c.equal(x, y)))
  const share = hits.length === 1 ? dy : c.div(dy, g.b.op('Sum', hits))
  return g.node.inputs.map((x, i) => (g.wants(i) ? sumTo(g, c.mul(share, hits[i]!), g.dims(y), g.dims(x)) : undefined))
}

/** y = Σ xᵢ, or Σ xᵢ ÷ n: every input gets dy, or dy ÷ n. */
const total =
  (share: (n: number) => number): GradientRule =>
  (g) => {
    const dy = gradOf(g)
    if (dy === undefined) return []
    const y = outputOf(g.node, 0)
    const factor = share(g.node.inputs.length)
    const grad = factor === 1 ? dy : calculator(g, y).mul(dy, factor)
    return g.node.inputs.map((x, i) => (g.wants(i) ? sumTo(g, grad, g.dims(y), g.dims(x)) : undefined))
  }

/** y = c ? a : b: each branch gets dy where it was taken. */
const where: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const [condition, a, b] = [inputOf(g.node, 0), inputOf(g.node, 1), inputOf(g.node, 2)]
  const y = outputOf(g.node, 0)
  const c = calculator(g, y)
  return [
    undefined,
    g.wants(1) ? sumTo(g, c.where(condition, dy, 0), g.dims(y), g.dims(a)) : undefined,
    g.wants(2) ? sumTo(g, c.where(condition, 0, dy), g.dims(y), g.dims(b)) : undefined,
  ]
}

/** Comparisons, logic and bits: their outputs do not vary smoothly. */
const discrete: Operator = { gradient: stops, axes: broadcast, macs: free, sizes: broadcastSizes }

/** Operators that work element by element on inputs broadcast to one shape. */
export const elementwise = {
  // y = a + b
  Add: binary(
    ({ dy }) => dy,
    ({ dy }) => dy,
  ),
  // y = a − b
  Sub: binary(
    ({ dy }) => dy,
    ({ dy, neg }) => neg(dy),
  ),
  // y = a·b
  Mul: binary(
    ({ dy, b, mul }) => mul(dy, b),
    ({ dy, a, mul }) => mul(dy, a),
  ),
  // y = a/b: ∂y/∂a = 1/b, ∂y/∂b = −a/b² = −y/b
  Div: binary(
    ({ dy, b, div }) => div(dy, b),
    ({ dy, b, y, div, mul, neg }) => neg(div(mul(dy, y), b)),
  ),
  Pow: binary(powerBase, powerExponent),
  // y = a − n·b with n = trunc(a/b) constant between the jumps: ∂y/∂a = 1, ∂y/∂b = −n = (y − a)/b
  Mod: binary(
    ({ dy }) => dy,
    ({ dy, a, b, y, div, mul, sub }) => mul(dy, div(sub(y, a), b)),
  ),
  // y = x where x > 0, else s·x
  PRelu: binary(
    ({ dy, a: x, b: slope, greater, mul, where }) => where(greater(x, 0), dy, mul(dy, slope)),
    ({ dy, a: x, min, mul }) => mul(dy, min(x, 0)),
  ),
  Max: { gradient: extremum, axes: broadcast, macs: free, sizes: broadcastSizes },
  Min: { gradient: extremum, axes: broadcast, macs: free, sizes: broadcastSizes },
  Sum: { gradient: total(() => 1), axes: broadcast, macs: free, sizes: broadcastSizes },
  Mean: { gradient: total((n) => 1 / n), axes: broadcast, macs: free, sizes: broadcastSizes },
  Where: { gradient: where, axes: broadcast, macs: free, sizes: broadcastSizes },
  Equal: discrete,
  Greater: discrete,
  GreaterOrEqual: discrete,
  Less: discrete,
  LessOrEqual: discrete,
  And: discrete,
  Or: discrete,
  Xor: discrete,
  Not: discrete,
  IsNaN: discrete,
  IsInf: discrete,
  BitShift: discrete,
  BitwiseAnd: discrete,
  BitwiseOr: discrete,
  BitwiseXor: discrete,
  BitwiseNot: discrete,
} satisfies Record<string, Operator>
