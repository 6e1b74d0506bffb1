import { UsageError } from '../../base/index.ts'
import { type CompatOption, has } from '../compat.ts'
import type { Link } from '../types.ts'
import { elementwise, norm, normSquared, scaleInPlace } from './moments.ts'
import { eachRun, unitNorms, unitsOf, wholeTensor } from './units.ts'

const positive = (what: string, limit: number): void => {
  if (!(limit > 0))
    throw new UsageError(`${what}: a limit of ${limit} makes no sense`, { remedy: 'give a positive number' })
}

/** Clips every element to [−limit, limit]. */
export const clipValue = (limit: number): Link => {
  positive('clipping by value', limit)
  return {
    name: 'clip-value',
    grain: elementwise,
    update({ update: u, parameter, emit }) {
      let clipped = 0
      for (let i = 0; i < u.length; i++) {
        const value = u[i]!
        if (value > limit) u[i] = limit
        else if (value < -limit) u[i] = -limit
        else continue
        clipped++
      }
      emit?.({ type: 'clip', link: 'clip-value', parameter: parameter.name, rate: clipped / u.length })
    },
  }
}

export type ClipNormOptions = CompatOption & {
  /** Added to the norm; 0. */
  eps?: number
}

/**
 * Scales all gradients together so that their common norm is at most `limit`.
 * Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks, ICML 2013, algorithm 1.
 */
export const clipNorm = (limit: number, options: ClipNormOptions = {}): Link => {
  positive('clipping by norm', limit)
  const divides = has(options, 'clip-divides')
  return {
    name: 'clip-norm',
    begin({ sites, emit }) {
      const total = Math.sqrt(sites.reduce((sum, { site }) => sum + normSquared(site.update), 0))
      const factor = Math.min(1, limit / (total + (options.eps ?? 0)))
      emit?.({ type: 'clip', link: 'clip-norm', rate: factor < 1 ? 1 : 0, norm: total })
      for (const { site } of sites) scaleInPlace(site.update, divides ? 1 / factor : factor)
    },
  }
}

/** Scales each tensor's gradient so that its norm is at most `limit`. */
export const clipTensorNorm = (limit: number): Link => {
  positive('clipping by tensor norm', limit)
  return {
    name: 'clip-tensor',
    update({ update: u, parameter, emit }) {
      const size = norm(u)
      emit?.({ type: 'clip', link: 'clip-tensor', parameter: parameter.name, rate: size > limit ? 1 : 0, norm: size })
      if (size > limit) scaleInPlace(u, limit / size)
    },
  }
}

export type AdaptiveClipOptions = {
  /** Largest ratio of an output unit's gradient norm to its weight norm; 0.01. */
  clipping?: number
  /** Least weight norm that counts, so that units at zero can move; 1e-3. */
  eps?: number
}

/**
 * Adaptive gradient clipping, by output unit (a vector is one unit): ‖g‖ ≤ clipping·max(‖w‖, eps).
 * Brock, De, Smith, Simonyan: High-Performance Large-Scale Image Recognition Without Normalization, 2021, eq. 3.
 */
export const adaptiveClip = ({ clipping = 0.01, eps = 1e-3 }: AdaptiveClipOptions = {}): Link => {
  positive('adaptive clipping', clipping)
  return {
    name: 'clip-adaptive',
    update({ update: u, parameter, emit }) {
      const units = unitsOf(parameter) ?? wholeTensor(parameter)
      const weights = unitNorms(units, parameter.values)
      const gradients = unitNorms(units, u)
      const factors = gradients.map((g, i) => Math.min(1, (clipping * Math.max(weights[i]!, eps)) / Math.max(g, 1e-6)))
      const clipped = factors.filter((factor) => factor < 1).length
      emit?.({ type: 'clip', link: 'clip-adaptive', parameter: parameter.name, rate: clipped / factors.length })
      if (clipped === 0) return
      eachRun(units, (unit, start, end) => {
        const factor = factors[unit]!
        for (let i = start; i < end; i++) u[i]! *= factor
      })
    },
  }
}

export type NormalizeOptions = {
  /** Divide each tensor by its standard deviation 'std' or its 'norm'; 'std'. */
  by?: 'std' | 'norm'
  /** 1e-8. */
  eps?: number
}

/** Gradient normalisation: g/(σ(g) + eps) for each tensor of two elements or more. Wright and Demeure: Ranger21, 2021, §2. */
export const normalizeGradient = ({ by = 'std', eps = 1e-8 }: NormalizeOptions = {}): Link => ({
  name: 'normalize',
  update({ update: u }) {
    if (by === 'norm') return scaleInPlace(u, 1 / (norm(u) + eps))
    if (u.length < 2) return
    let sum = 0
    for (let i = 0; i < u.length; i++) sum += u[i]!
    const mean = sum / u.length
    let squares = 0
    for (let i = 0; i < u.length; i++) squares += (u[i]! - mean) ** 2
    scaleInPlace(u, 1 / (Math.sqrt(squares / (u.length - 1)) + eps))
  },
})
