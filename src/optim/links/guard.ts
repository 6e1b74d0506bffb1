import { UsageError } from '../../base/index.ts'
import type { Link } from '../types.ts'

/**
 * Drops a step whose gradients hold a NaN or an infinity: no weight moves and no counter advances, of this optimizer or its
 * schedule. Place it first.
 */
export const skipNotFinite: Link = {
  name: 'finite',
  begin({ sites, skip }) {
    for (const { site } of sites)
      if (!allFinite(site.update)) return skip(`the gradient of '${site.parameter.name}' is not finite`)
  },
}

const allFinite = (values: Float32Array): boolean => {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) return false
  return true
}

/** Averages the gradients of `count` calls of `step`; the weights move at the last of them. Place it before links that
 *  remember. */
export const accumulate = (count: number): Link<{ sum: Float32Array }, { seen: number }> => {
  if (!(Number.isInteger(count) && count >= 1))
    throw new UsageError(`accumulating over ${count} steps makes no sense`, {
      remedy: 'give a whole number of 1 or more',
    })
  return {
    name: 'accumulate',
    shared: { seen: 0 },
    init: (p, fresh) => ({ sum: fresh(p) }),
    begin({ sites, skip }, shared) {
      for (const { site, slots } of sites) {
        const u = site.update
        for (let i = 0; i < u.length; i++) slots.sum[i]! += u[i]!
      }
      shared.seen++
      if (shared.seen < count) return skip(`accumulating, ${shared.seen} of ${count}`)
      shared.seen = 0
      for (const { site, slots } of sites) {
        const u = site.update
        for (let i = 0; i < u.length; i++) u[i] = slots.sum[i]! / count
        slots.sum.fill(0)
      }
    },
  }
}
