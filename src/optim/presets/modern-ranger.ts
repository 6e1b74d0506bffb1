import { only } from '../groups.ts'
import { adamScaling } from '../links/adam.ts'
import { type CentralizeOptions, centralize } from '../links/centralize.ts'
import { withDecay } from '../links/decay.ts'
import { type LookaheadOptions, lookahead } from '../links/lookahead.ts'
import { cautious } from '../links/masks.ts'
import { momentum } from '../links/momentum.ts'
import { isMatrix, orthogonalize } from '../links/newton-schulz.ts'
import { type RadamScalingOptions, radamScaling } from '../links/radam.ts'
import { optimizer } from '../optimizer.ts'
import type { Common } from './adam.ts'

export type ModernRangerOptions = Common &
  RadamScalingOptions &
  LookaheadOptions &
  Pick<CentralizeOptions, 'convOnly'> & {
    /**
     * What moves matrices and kernels: 'adaptive', Adam as the rest, or 'orthogonal', momentum made orthogonal (Jordan et al.:
     * Muon, 2024) at Adam's size (Liu et al. 2025); 'adaptive'. Newton–Schulz takes five times three products of the matrix
     * with its own square: for a layer of 300 × 784 over a second a step, where gradients take milliseconds.
     */
    matrices?: 'adaptive' | 'orthogonal'
    /** RAdam's rectified rate in place of Adam's, whose moments are corrected for their start alone; false. */
    rectify?: boolean
    /** Centralize gradients first; true. */
    gc?: boolean
    /** Leave out where the direction disagrees with the gradient (Liang et al. 2024); false. */
    cautious?: boolean
  }

/**
 * Ranger of the parts that pay, ours: those are kept whose removal costs accuracy in docs/optimizers-benchmark.md ("Parts in and
 * out"). Rate 3e-3, betas [0.9, 0.999], k 6, α 0.5.
 * - Centralization: filters' means carry no direction once a norm or the next bias takes them (Yong et al., ECCV 2020). Here
 *   it comes first, on the gradient, so that the moments are of what is followed.
 * - Adam's rate (Kingma and Ba, ICLR 2015).
 * - Lookahead: averages out what high rates oscillate, and gives the weights to evaluate with (Zhang et al., NeurIPS 2019).
 * RAdam's rectification and cautious masking gain nothing beside them and are options.
 */
export const modernRanger = (options: ModernRangerOptions = {}) => {
  const o = { lr: 3e-3, k: 6, matrices: 'adaptive', rectify: false, gc: true, cautious: false, ...options }
  const turned = [momentum({ momentum: 0.95, nesterov: true, kind: 'average' }), orthogonalize({ scaling: 'rms' })]
  const scaled = o.rectify ? radamScaling(o) : adamScaling(o)
  const direction = [
    ...(o.gc ? [centralize(o)] : []),
    ...(o.matrices === 'orthogonal'
      ? [...turned.map((link) => only(isMatrix, link)), only((p) => !isMatrix(p), scaled)]
      : [scaled]),
  ]
  return optimizer([...withDecay(o, o.cautious ? cautious(...direction) : direction), lookahead(o)], o)
}
