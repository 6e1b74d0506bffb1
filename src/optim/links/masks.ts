import type { Link } from '../types.ts'

/** The factor n/(kept + 1) that makes up for what a cautious mask leaves out. */
export const cautiousScale = (u: Float32Array, g: Float32Array): number => {
  let kept = 0
  for (let i = 0; i < u.length; i++) if (u[i]! * g[i]! > 0) kept++
  return u.length / (kept + 1)
}

/** max(1, RMS(g/√v)). Wortsman et al. 2023: Stable and low-precision training for large-scale vision-language models, §4. */
export const stableRms = (g: Float32Array, v: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < g.length; i++) sum += g[i]! ** 2 / Math.max(v[i]!, 1e-16)
  return Math.max(1, Math.sqrt(sum / g.length))
}

/**
 * Cautious masking of what a chain of links does: where its direction disagrees with the gradient that went into it, there
 * is no step; the others grow by n/(agreeing + 1). Liang et al.: Cautious Optimizers, 2024, algorithm 1.
 */
export const cautious = (...links: readonly Link[]): Link[] => {
  // Scratch between the two ends of one step; nothing in it lasts.
  const held = new Map<string, Float32Array>()
  const hold: Link = {
    name: 'cautious-hold',
    update({ parameter: { name }, update: u }) {
      const copy = held.get(name)
      if (copy?.length === u.length) copy.set(u)
      else held.set(name, u.slice())
    },
  }
  const mask: Link = {
    name: 'cautious',
    update({ parameter: { name }, update: u, emit }) {
      const g = held.get(name)
      if (!g) return
      const scale = cautiousScale(u, g)
      let masked = 0
      for (let i = 0; i < u.length; i++) {
        const agrees = u[i]! * g[i]! > 0
        if (!agrees) masked++
        u[i] = agrees ? scale * u[i]! : 0
      }
      emit?.({ type: 'clip', link: 'cautious', parameter: name, rate: masked / u.length })
    },
  }
  return [hold, ...links, mask]
}
