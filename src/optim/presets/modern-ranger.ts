import { only } from '../groups.ts'
import { type CentralizeOptions, centralize } from '../links/centralize.ts'
import { withDecay } from '../links/decay.ts'
import { type LookaheadOptions, lookahead } from '../links/lookahead.ts'
import { cautious } from '../links/masks.ts'
import { momentum } from '../links/momentum.ts'
import { isMatrix, orthogonalize } from '../links/newton-schulz.ts'
import { type RadamScalingOptions, radamScaling } from '../links/radam.ts'
import { optimizer } from '../optimizer.ts'
import type { Parameter } from '../types.ts'
import type { Common } from './adam.ts'

export type ModernRangerOptions = Common &
  RadamScalingOptions &
  LookaheadOptions &
  Pick<CentralizeOptions, 'convOnly'> & {
    /** What moves matrices and kernels: 'orthogonal', momentum made orthogonal, or 'adaptive', RAdam as the rest; 'orthogonal'. */
    matrices?: 'orthogonal' | 'adaptive'
    /** Centralize gradients first; true. */
    gc?: boolean
    /** Leave out where the direction disagrees with the gradient; true. */
    cautious?: boolean
  }

/**
 * Ranger of parts found since, ours. Rate 3e-3, betas [0.9, 0.999], k 6, α 0.5. Each part stands for a reason of its own and
 * can be left out:
 * - centralization: filters' means carry no direction once a norm or the next bias takes them (Yong et al., ECCV 2020);
 * - orthogonalised momentum for kernels and matrices: no few directions dominate a step, at under 1 % of a step's cost
 *   (Jordan et al.: Muon, 2024), scaled to Adam's size so that there is one rate (Liu et al. 2025);
 * - RAdam for vectors and embeddings, which have no directions to make orthogonal: no warm-up to tune (Liu et al., ICLR 2020);
 * - cautious masking: no step against the present gradient for momentum's sake (Liang et al. 2024);
 * - Lookahead: averages out what high rates oscillate, and gives the weights to evaluate with (Zhang et al., NeurIPS 2019).
 */
export const modernRanger = (options: ModernRangerOptions = {}) => {
  const o = { lr: 3e-3, k: 6, matrices: 'orthogonal', gc: true, cautious: true, ...options }
  const turned = (p: Parameter) => o.matrices === 'orthogonal' && isMatrix(p)
  const direction = [
    ...(o.gc ? [centralize(o)] : []),
    only(turned, momentum({ momentum: 0.95, nesterov: true, kind: 'average' })),
    only(turned, orthogonalize({ scaling: 'rms' })),
    only((p) => !turned(p), radamScaling(o)),
  ]
  return optimizer([...withDecay(o, o.cautious ? cautious(...direction) : direction), lookahead(o)], o)
}
