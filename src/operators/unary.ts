import { floatOf, type Node } from '../onnx/index.ts'
import { type Calculator, calculator } from './calculator.ts'
import { gradOf, inputOf, joinAxes, outputOf } from './helpers.ts'
import { broadcastSizes as elementSizes } from './sizes/elementwise.ts'
import { type AxisRule, free, type Operator } from './types.ts'

/** Output i has the shape of the first input, and each index of one lives and dies with that of the other. */
export const passAxes: AxisRule = (a) => {
  for (const output of a.node.outputs) if (output) joinAxes(a, inputOf(a.node, 0), output)
}

/** What the derivative of y = f(x) is written in: value names, the node's attributes, and arithmetic. */
export type Unary = Calculator & {
  x: string
  y: string
  dy: string
  attribute(name: string, absent: number): number
  node: Node
}

/** An operator of one input, from its ∂L/∂x in terms of x, y and dy = ∂L/∂y. */
export const unary = (derivative: (t: Unary) => string): Operator => ({
  gradient: (g) => {
    const dy = gradOf(g)
    if (dy === undefined || !g.wants(0)) return []
    const x = inputOf(g.node, 0)
    const attribute = (name: string, absent: number) => floatOf(g.node, name, absent)
    return [derivative({ ...calculator(g, x), x, y: outputOf(g.node, 0), dy, attribute, node: g.node })]
  },
  axes: passAxes,
  macs: free,
  sizes: elementSizes,
})

/** Elementary functions of one variable. */
export const functions = {
  Abs: unary(({ x, dy, mul, sign }) => mul(dy, sign(x))),
  Neg: unary(({ dy, neg }) => neg(dy)),
  Exp: unary(({ y, dy, mul }) => mul(dy, y)),
  Log: unary(({ x, dy, div }) => div(dy, x)),
  // y = √x: 1/(2y)
  Sqrt: unary(({ y, dy, div, add }) => div(dy, add(y, y))),
  // y = 1/x: −y²
  Reciprocal: unary(({ y, dy, mul, square, neg }) => neg(mul(dy, square(y)))),
  // y = 2/√π ∫₀ˣ e^(−t²) dt
  Erf: unary(({ x, dy, mul, exp, neg, square }) => mul(dy, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI)))),
  Sin: unary(({ x, dy, mul, cos }) => mul(dy, cos(x))),
  Cos: unary(({ x, dy, mul, sin, neg }) => neg(mul(dy, sin(x)))),
  Tan: unary(({ y, dy, mul, add, square }) => mul(dy, add(square(y), 1))),
  Asin: unary(({ x, dy, div, sqrt, sub, square }) => div(dy, sqrt(sub(1, square(x))))),
  Acos: unary(({ x, dy, div, sqrt, sub, square, neg }) => neg(div(dy, sqrt(sub(1, square(x)))))),
  Atan: unary(({ x, dy, div, add, square }) => div(dy, add(square(x), 1))),
  Sinh: unary(({ x, dy, mul, cosh }) => mul(dy, cosh(x))),
  Cosh: unary(({ x, dy, mul, sinh }) => mul(dy, sinh(x))),
  Asinh: unary(({ x, dy, div, sqrt, add, square }) => div(dy, sqrt(add(square(x), 1)))),
  Acosh: unary(({ x, dy, div, sqrt, sub, square }) => div(dy, sqrt(sub(square(x), 1)))),
  Atanh: unary(({ x, dy, div, sub, square }) => div(dy, sub(1, square(x)))),
} satisfies Record<string, Operator>
