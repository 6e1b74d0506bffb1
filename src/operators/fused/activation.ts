import { type Attribute, floatOf, floatsOf, type Node, stringOf } from '../../onnx/index.ts'
import { type Calculator, calculator } from '../calculator.ts'
import { hasInput, inputOf, unsupported } from '../helpers.ts'
import type { Emitter, Lowering } from '../types.ts'

/** y = x/2·(1 + erf(x/√2)), the exact form. */
export const erfGelu = (c: Calculator, x: string): string =>
  c.mul(c.mul(x, 0.5), c.add(c.erf(c.mul(x, Math.SQRT1_2)), 1))

/** y = x/2·(1 + tanh √(2/π)(x + 0.044715x³)). */
const tanhGelu = (c: Calculator, x: string): string => {
  const slope = c.add(c.mul(c.square(x), 0.044715), 1)
  return c.mul(c.mul(x, 0.5), c.add(c.tanh(c.mul(c.mul(x, slope), Math.sqrt(2 / Math.PI))), 1))
}

const biased = (e: Emitter, c: Calculator): string =>
  hasInput(e.node, 1) ? c.add(inputOf(e.node, 0), inputOf(e.node, 1)) : inputOf(e.node, 0)

const activation =
  (write: (c: Calculator, x: string, e: Emitter) => string): Lowering =>
  (e) => {
    const c = calculator(e, inputOf(e.node, 0))
    return [write(c, biased(e, c), e)]
  }

const float = (value: number): Attribute => ({ type: 'FLOAT', value })

/** The numbers a fused activation takes: by name, or in order from a list of them. */
const numbersOf = (node: Node): (number | undefined)[] => {
  const given = floatsOf(node, 'activation_params', undefined)
  return given ? [...given] : ['alpha', 'beta'].map((name) => floatOf(node, `activation_${name}`, undefined))
}

/** The activation a fused node names, applied to `x`. */
export const activated = (e: Emitter, x: string): string => {
  const name = stringOf(e.node, 'activation', '')
  const [alpha, beta] = numbersOf(e.node)
  const c = calculator(e, inputOf(e.node, 0))
  const attributes = {
    ...(alpha === undefined ? {} : { alpha: float(alpha) }),
    ...(beta === undefined ? {} : { beta: float(beta) }),
  }
  switch (name) {
    case '':
      return x
    case 'Relu':
    case 'Sigmoid':
    case 'Tanh':
    case 'Softplus':
    case 'Softsign':
      return e.b.op(name, [x])
    case 'LeakyRelu':
    case 'HardSigmoid':
    case 'Elu':
    case 'ThresholdedRelu':
      return e.b.op(name, [x], attributes)
    case 'Clip':
      return c.min(c.max(x, alpha ?? -3.4e38), beta ?? 3.4e38)
    default:
      throw unsupported(e.node, `no gradient is known for its activation '${name}'`, 'export the model unoptimized')
  }
}

/** Activations with the addition of a bias fused in. */
export const fusedActivations = {
  Gelu: activation(erfGelu),
  BiasGelu: activation(erfGelu),
  FastGelu: activation(tanhGelu),
  // y = x·σ(αx)
  QuickGelu: activation((c, x, e) => c.mul(x, c.sigmoid(c.mul(x, floatOf(e.node, 'alpha', 1.702))))),
} satisfies Record<string, Lowering>
