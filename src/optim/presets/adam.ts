import { type AdamScalingOptions, adamScaling } from '../links/adam.ts'
import { type DecayOptions, withDecay } from '../links/decay.ts'
import { type OptimizerOptions, optimizer } from '../optimizer.ts'

export type AdamOptions = OptimizerOptions & AdamScalingOptions & DecayOptions

/** Adam, with classical L2 regularization when asked. Kingma and Ba: Adam, ICLR 2015. */
export const adam = (o: AdamOptions = {}) => optimizer(withDecay({ decay: 'l2', ...o }, [adamScaling(o)]), o)

/** Adam over the largest second moment seen. Reddi, Kale, Kumar: On the Convergence of Adam and Beyond, ICLR 2018. */
export const amsgrad = (o: AdamOptions = {}) => adam({ ...o, amsgrad: true })

/** Adam with decoupled decay, 0.01. Loshchilov and Hutter: Decoupled Weight Decay Regularization, ICLR 2019. */
export const adamw = (o: AdamOptions = {}) => optimizer(withDecay({ weightDecay: 0.01, ...o }, [adamScaling(o)]), o)
