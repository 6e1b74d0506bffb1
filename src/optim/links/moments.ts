import { UsageError } from '../../base/index.ts'
import { add, div, type Expression, loop, mul, sqrt, sub } from '../loops/index.ts'

/** Decay rates of moving averages, each in [0, 1). */
export type Betas = readonly [number, number]

export const checkBetas = <B extends readonly number[]>(link: string, betas: B): B => {
  for (const [i, beta] of betas.entries())
    if (!(beta >= 0 && beta < 1))
      throw new UsageError(`${link}: β${'₁₂₃'[i] ?? ''} = ${beta} is no decay rate`, {
        remedy: 'give a number in [0, 1)',
      })
  return betas
}

export const checkEps = (link: string, eps: number): void => {
  if (!(eps >= 0 && Number.isFinite(eps)))
    throw new UsageError(`${link}: eps = ${eps} makes no sense`, { remedy: 'give a small positive number' })
}

/** The grain of a link to which every element is for itself. */
export const elementwise = () => 1

/** x ← x + (gain·g − fade·x): a moving average where gain = fade = 1 − β. */
export const averaged = (x: Expression, g: Expression, gain: Expression, fade = gain): Expression =>
  add(x, sub(mul(gain, g), mul(fade, x)))

/** Adam's moments and direction: m ← m + (gain·g − fade·m), v ← v + rest·(g² − v), u = size·m/(scale·√(v + root) + eps). */
export const adaptiveStep = loop(
  ['u', 'm', 'v'],
  ['gain', 'fade', 'rest', 'root', 'scale', 'eps', 'size'],
  ({ u, m, v }, { gain, fade, rest, root, scale, eps, size }) => {
    const mean = averaged(m, u, gain, fade)
    const square = add(v, sub(mul(mul(rest, u), u), mul(rest, v)))
    return { m: mean, v: square, u: div(mul(size, mean), add(mul(sqrt(add(square, root)), scale), eps)) }
  },
)

/** ‖·‖², summed in double. */
export const normSquared = (values: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2
  return sum
}

export const norm = (values: Float32Array): number => Math.sqrt(normSquared(values))

export const scaleInPlace = (values: Float32Array, factor: number): void => {
  if (factor !== 1) for (let i = 0; i < values.length; i++) values[i]! *= factor
}
