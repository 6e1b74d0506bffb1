import { type AdamScalingOptions, adamScaling } from '../links/adam.ts'
import { type AdanScalingOptions, adanScaling } from '../links/adan.ts'
import { type AdemamixScalingOptions, ademamixScaling } from '../links/ademamix.ts'
import { type AdoptScalingOptions, adoptScaling } from '../links/adopt.ts'
import { weightDecay, withDecay } from '../links/decay.ts'
import { type LionScalingOptions, lionScaling } from '../links/lion.ts'
import { type MarsCorrectionOptions, marsCorrection } from '../links/mars.ts'
import { cautious as cautiously } from '../links/masks.ts'
import { type ProdigyScalingOptions, prodigyScaling } from '../links/prodigy.ts'
import { type TrustRatioOptions, trustRatio } from '../links/scale.ts'
import { optimizer } from '../optimizer.ts'
import type { Common } from './adam.ts'

/**
 * Adam's direction and decay, each tensor's step in proportion to its norm. Decay is part of the direction.
 * You et al.: Large Batch Optimization for Deep Learning, ICLR 2020.
 */
export const lamb = (options: Common & AdamScalingOptions & TrustRatioOptions = {}) => {
  const o = { eps: 1e-6, ...options }
  return optimizer([...withDecay(o, [adamScaling(o)]), trustRatio({ ...o, eps: options.eps ?? 0 })], o)
}

type Cautious = {
  /** Leave out what disagrees with the gradient (Liang et al. 2024); false. */
  cautious?: boolean
}

/** Signs of an interpolated momentum. Rate 1e-4; wants more decay than Adam. Chen et al., NeurIPS 2023. */
export const lion = (o: Common & LionScalingOptions & Cautious = {}) => {
  const links = o.cautious ? cautiously(lionScaling(o)) : [lionScaling(o)]
  return optimizer(withDecay(o, links), { lr: 1e-4, ...o })
}

/** Nesterov's momentum from gradient differences; proximal decay. Xie et al.: Adan, 2022. */
export const adan = (o: Common & AdanScalingOptions = {}) =>
  optimizer(withDecay({ decay: 'proximal', ...o }, [adanScaling(o)]), o)

/** A fast and a slow average. Short runs need `warmup` or a smaller β₃. Pagliardini, Ablin, Grangier, ICLR 2025. */
export const ademamix = (o: Common & AdemamixScalingOptions = {}) => optimizer(withDecay(o, [ademamixScaling(o)]), o)

/** Adam that converges with any β₂. Taniguchi et al.: ADOPT, NeurIPS 2024. */
export const adopt = (o: Common & AdoptScalingOptions = {}) => optimizer(withDecay(o, [adoptScaling(o)]), o)

/** AdamW on variance-reduced gradients. Rate 3e-3, betas [0.95, 0.99]. Yuan et al.: MARS, 2024. */
export const mars = (options: Common & AdamScalingOptions & MarsCorrectionOptions & Cautious = {}) => {
  const betas = options.betas ?? ([0.95, 0.99] as const)
  const o = { lr: 3e-3, beta1: betas[0], ...options, betas }
  const links = [marsCorrection(o), adamScaling(o)]
  return optimizer(withDecay(o, o.cautious ? cautiously(...links) : links), o)
}

/** Finds its own rate; leave `lr` at 1. Decay is scaled like the step. Mishchenko and Defazio: Prodigy, ICML 2024. */
export const prodigy = (o: Common & ProdigyScalingOptions = {}) =>
  optimizer([prodigyScaling(o), weightDecay({ decay: 'scaled', ...o })], { lr: 1, ...o })
