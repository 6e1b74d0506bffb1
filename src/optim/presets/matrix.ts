import { only } from '../groups.ts'
import { type AdamScalingOptions, adamScaling } from '../links/adam.ts'
import { withDecay } from '../links/decay.ts'
import { momentum } from '../links/momentum.ts'
import { isMatrix, type OrthogonalizeOptions, orthogonalize } from '../links/newton-schulz.ts'
import { scale } from '../links/scale.ts'
import { type SoapScalingOptions, soapScaling } from '../links/soap.ts'
import { optimizer } from '../optimizer.ts'
import type { Parameter } from '../types.ts'
import type { Common } from './adam.ts'

export type MuonOptions = Common &
  OrthogonalizeOptions & {
    /** 0.95. */
    momentum?: number
    nesterov?: boolean
    /** Rate and moments of AdamW, which trains what is no matrix; 3e-4, [0.9, 0.95], eps 1e-10. */
    rest?: AdamScalingOptions & { lr?: number }
    /** Names of further parameters AdamW should train, such as the output layer, which Muon's authors leave out. */
    matrices?: (p: Parameter) => boolean
  }

/**
 * Muon: momentum whose direction is made orthogonal, for matrices and convolutions; AdamW for the rest. Rate 0.02.
 * Jordan et al.: Muon: An optimizer for hidden layers in neural networks, 2024.
 */
export const muon = (options: MuonOptions = {}) => {
  const { matrices = isMatrix, rest = {}, ...o } = { lr: 0.02, momentum: 0.95, nesterov: true, ...options }
  const others = (p: Parameter) => !matrices(p)
  const chain = [
    only(matrices, momentum({ ...o, kind: 'average' })),
    only(matrices, orthogonalize(o)),
    only(others, adamScaling({ betas: [0.9, 0.95], eps: 1e-10, ...rest })),
    only(others, scale((rest.lr ?? 3e-4) / (o.lr || 1))),
  ]
  return optimizer(withDecay(o, chain), o)
}

/** Adam in Shampoo's eigenbases. Rate 3e-3, decay 0.01 after the step. Vyas et al.: SOAP, ICLR 2025. */
export const soap = (o: Common & SoapScalingOptions = {}) =>
  optimizer(withDecay({ weightDecay: 0.01, decay: 'after', ...o }, [soapScaling(o)]), { lr: 3e-3, ...o })
