import { type AdabeliefScalingOptions, adabeliefScaling } from '../links/adabelief.ts'
import {
  type AdadeltaScalingOptions,
  type AdagradScalingOptions,
  type AdamaxScalingOptions,
  adadeltaScaling,
  adagradScaling,
  adamaxScaling,
  type RmspropScalingOptions,
  rmspropScaling,
} from '../links/adagrad.ts'
import { type AdamScalingOptions, adamScaling } from '../links/adam.ts'
import { type DecayOptions, withDecay } from '../links/decay.ts'
import { momentum } from '../links/momentum.ts'
import { type NadamScalingOptions, nadamScaling } from '../links/nadam.ts'
import { type OptimizerOptions, optimizer } from '../optimizer.ts'

/** What every preset takes beside its own. */
export type Common = OptimizerOptions & DecayOptions

export type AdamOptions = Common & AdamScalingOptions

/** Adam, with classical L2 regularization when asked. Kingma and Ba: Adam, ICLR 2015. */
export const adam = (o: AdamOptions = {}) => optimizer(withDecay({ decay: 'l2', ...o }, [adamScaling(o)]), o)

/** Adam over the largest second moment seen. Reddi, Kale, Kumar: On the Convergence of Adam and Beyond, ICLR 2018. */
export const amsgrad = (o: AdamOptions = {}) => adam({ ...o, amsgrad: true })

/** Adam with decoupled decay, 0.01. Loshchilov and Hutter: Decoupled Weight Decay Regularization, ICLR 2019. */
export const adamw = (o: AdamOptions = {}) => optimizer(withDecay({ weightDecay: 0.01, ...o }, [adamScaling(o)]), o)

export type NadamOptions = Common & NadamScalingOptions

/** Adam with Nesterov's momentum; decoupled decay when asked. Rate 2e-3. Dozat, ICLR 2016 workshop. */
export const nadam = (o: NadamOptions = {}) => optimizer(withDecay(o, [nadamScaling(o)]), { lr: 2e-3, ...o })

/** Adam in the infinity norm. Rate 2e-3. Kingma and Ba: Adam, ICLR 2015, §7.1. */
export const adamax = (o: Common & AdamaxScalingOptions = {}) =>
  optimizer(withDecay({ decay: 'l2', ...o }, [adamaxScaling(o)]), { lr: 2e-3, ...o })

/** Rate 0.01. Duchi, Hazan, Singer: Adaptive Subgradient Methods, JMLR 2011. */
export const adagrad = (o: Common & AdagradScalingOptions = {}) =>
  optimizer(withDecay({ decay: 'l2', ...o }, [adagradScaling(o)]), { lr: 0.01, ...o })

/** Rate 1. Zeiler: ADADELTA, 2012. */
export const adadelta = (o: Common & AdadeltaScalingOptions = {}) =>
  optimizer(withDecay({ decay: 'l2', ...o }, [adadeltaScaling(o)]), { lr: 1, ...o })

export type RmspropOptions = Common & RmspropScalingOptions & { momentum?: number }

/** Rate 0.01; momentum, when asked, over the scaled gradients. Tieleman and Hinton, Coursera 2012. */
export const rmsprop = (o: RmspropOptions = {}) => {
  const links = [rmspropScaling(o), ...(o.momentum ? [momentum({ momentum: o.momentum })] : [])]
  return optimizer(withDecay({ decay: 'l2', ...o }, links), { lr: 0.01, ...o })
}

/** Decoupled decay. Zhuang et al.: AdaBelief Optimizer, NeurIPS 2020. */
export const adabelief = (o: Common & AdabeliefScalingOptions = {}) => optimizer(withDecay(o, [adabeliefScaling(o)]), o)
