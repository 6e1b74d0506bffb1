import { type DecayOptions, withDecay } from '../links/decay.ts'
import { type MomentumOptions, momentum } from '../links/momentum.ts'
import { type OptimizerOptions, optimizer } from '../optimizer.ts'

export type SgdOptions = OptimizerOptions & MomentumOptions & DecayOptions

/**
 * Stochastic gradient descent (Robbins and Monro 1951), with momentum when asked (0 by default). Weight decay is L2, as is
 * usual for SGD. Rate 0.01.
 */
export const sgd = (options: SgdOptions = {}) => {
  const o = { lr: 0.01, momentum: 0, decay: 'l2' as const, ...options }
  return optimizer(withDecay(o, o.momentum ? [momentum(o)] : []), o)
}
