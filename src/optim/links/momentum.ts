import { UsageError } from '../../base/index.ts'
import { add, loop, mul } from '../loops/index.ts'
import type { Link, Slots } from '../types.ts'
import { averaged, elementwise } from './moments.ts'

export type MomentumOptions = {
  /** μ; 0.9. */
  momentum?: number
  /** Look ahead along the momentum: u = g + μb; false. */
  nesterov?: boolean
  /** Weakens what a gradient adds to the momentum, from its second step on; 0. */
  dampening?: number
  /** 'average' keeps a moving average, b ← μb + (1 − μ)g and u = (1 − μ)g + μb, as Muon does; 'sum' is the usual heavy ball. */
  kind?: 'sum' | 'average'
}

/**
 * Momentum: b ← μb + (1 − dampening)·g with b = g at first; u = b, or g + μb with Nesterov's.
 * Polyak 1964; Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum, ICML 2013, §2.
 */
export const momentum = (options: MomentumOptions = {}): Link<Slots & { momentum: Float32Array }> => {
  const { momentum: mu = 0.9, nesterov = false, dampening = 0, kind = 'sum' } = options
  if (!(mu >= 0 && mu < 1))
    throw new UsageError(`a momentum of ${mu} does not decay`, { remedy: 'give a number in [0, 1)' })
  if (nesterov && (mu === 0 || dampening !== 0))
    throw new UsageError("Nesterov's momentum needs a momentum and no dampening")
  return {
    name: 'momentum',
    init: (p, fresh) => ({ momentum: fresh(p) }),
    grain: elementwise,
    update({ update: u, step }, { momentum: b }) {
      const [fade, gain] = kind === 'average' ? [1 - mu, 1 - mu] : step === 1 ? [1, 1] : [1 - mu, 1 - dampening]
      const [direct, ahead] = nesterov ? [kind === 'average' ? 1 - mu : 1, mu] : [0, 1]
      heavyBall({ u, b }, { gain, fade, direct, ahead })
    },
  }
}

/** b ← b + (gain·g − fade·b), u = direct·g + ahead·b. */
const heavyBall = loop(['u', 'b'], ['gain', 'fade', 'direct', 'ahead'], ({ u, b }, { gain, fade, direct, ahead }) => {
  const next = averaged(b, u, gain, fade)
  return { b: next, u: add(mul(direct, u), mul(ahead, next)) }
})
