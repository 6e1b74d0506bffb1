import { floatOf, intOf } from '../../onnx/index.ts'
import { calculator } from '../calculator.ts'
import { frontAxis, hasInput, inputOf, range, scaled, sum } from '../helpers.ts'
import type { Emitter, Lowering } from '../types.ts'

const float = (value: number) => ({ type: 'FLOAT', value }) as const

/** LayerNormalization over the last axis, with its mean and 1/σ. */
export const layerNorm = (e: Emitter, x: string, parameters: readonly string[]): readonly string[] =>
  e.b.ops('LayerNormalization', [x, ...parameters], 3, { axis: -1, epsilon: float(floatOf(e.node, 'epsilon', 1e-12)) })

/** x/ρ·γ with ρ² = mean x² + ε over the axes from `axis` on (Zhang and Sennrich 2019), and 1/ρ. */
const rootMeanSquare = (
  e: Emitter,
  x: string,
  scale: string,
  axis: number,
  epsilon: number,
): readonly [string, string] => {
  const like = inputOf(e.node, 0)
  const dims = e.dims(like)
  const axes = range(axis, dims.length)
  const c = calculator(e, like)
  const count = axes.reduce((n, i) => n * dims[i]!, 1)
  const square = scaled(e, like, sum(e, c.square(x), axes, true), 1 / count)
  const inverse = c.reciprocal(c.sqrt(c.add(square, epsilon)))
  return [c.mul(c.mul(x, inverse), scale), inverse]
}

/** input + skip + bias, what the normalization then sees. */
const skipped = (e: Emitter, bias: number): string => {
  const c = calculator(e, inputOf(e.node, 0))
  const both = c.add(inputOf(e.node, 0), inputOf(e.node, 1))
  return hasInput(e.node, bias) ? c.add(both, inputOf(e.node, bias)) : both
}

export const fusedNormalizations = {
  /** In ONNX's own domain, where ONNX Runtime keeps it. */
  plain: {
    SimplifiedLayerNormalization: (e) => {
      const x = inputOf(e.node, 0)
      return rootMeanSquare(
        e,
        x,
        inputOf(e.node, 1),
        frontAxis(intOf(e.node, 'axis', -1), e.dims(x).length),
        floatOf(e.node, 'epsilon', 1e-5),
      )
    },
  },
  /** With the addition of a residual before them; the sum is the last output. */
  skipping: {
    SkipLayerNormalization: (e) => {
      const x = skipped(e, 4)
      const parameters = hasInput(e.node, 3) ? [inputOf(e.node, 2), inputOf(e.node, 3)] : [inputOf(e.node, 2)]
      return [...layerNorm(e, x, parameters), x]
    },
    SkipSimplifiedLayerNormalization: (e) => {
      const x = skipped(e, 3)
      const [y, inverse] = rootMeanSquare(
        e,
        x,
        inputOf(e.node, 2),
        e.dims(inputOf(e.node, 0)).length - 1,
        floatOf(e.node, 'epsilon', 1e-12),
      )
      return [y, undefined, inverse, x]
    },
  },
} satisfies Record<string, Record<string, Lowering>>
