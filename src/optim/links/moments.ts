import { UsageError } from '../../base/index.ts'

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

/** A tensor of zeros of a parameter's size. */
export const zeros = ({ values }: { readonly values: Float32Array }): Float32Array => new Float32Array(values.length)

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
