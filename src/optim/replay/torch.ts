import type { Recipe } from '../optimizer.ts'
import { adadelta, adagrad, adam, adamax, adamw, nadam, rmsprop } from '../presets/adam.ts'
import { radam } from '../presets/ranger.ts'
import { sgd } from '../presets/sgd.ts'
import type { OptionReader } from './options.ts'

/** What every optimizer of torch.optim 1.13 takes without influence on the numbers. */
const plumbing = ['foreach', 'capturable', 'differentiable', 'fused'] as const

const common = (o: OptionReader, lr: number, decay = 0) => {
  o.ignore(...plumbing)
  return { lr: o.number('lr', lr), maximize: o.flag('maximize', false), weightDecay: o.number('weight_decay', decay) }
}

const moments = (o: OptionReader) => ({ betas: o.pair('betas', [0.9, 0.999]), eps: o.number('eps', 1e-8) })

/** torch.optim 1.13 by class name: its options and defaults in ours. */
export const torchOptimizers: Record<string, (o: OptionReader) => Recipe> = {
  SGD: (o) =>
    sgd({
      ...common(o, 1e-3),
      momentum: o.number('momentum', 0),
      dampening: o.number('dampening', 0),
      nesterov: o.flag('nesterov', false),
    }),
  Adam: (o) => adam({ ...common(o, 1e-3), ...moments(o), amsgrad: o.flag('amsgrad', false) }),
  AdamW: (o) => adamw({ ...common(o, 1e-3, 0.01), ...moments(o), amsgrad: o.flag('amsgrad', false) }),
  RAdam: (o) =>
    radam({ ...common(o, 1e-3), ...moments(o), inclusive: false, decay: 'l2', compat: 'radam-never-adapts' }),
  NAdam: (o) =>
    nadam({
      ...common(o, 2e-3),
      ...moments(o),
      momentumDecay: o.number('momentum_decay', 4e-3),
      decay: 'l2',
      // Only the loop over single tensors has the defect.
      ...(!o.flag('foreach', false) && { compat: 'nadam-mu-twice' as const }),
    }),
  Adamax: (o) => adamax({ ...common(o, 2e-3), ...moments(o) }),
  Adagrad: (o) =>
    adagrad({
      ...common(o, 1e-2),
      eps: o.number('eps', 1e-10),
      rateDecay: o.number('lr_decay', 0),
      initial: o.number('initial_accumulator_value', 0),
    }),
  Adadelta: (o) => adadelta({ ...common(o, 1), rho: o.number('rho', 0.9), eps: o.number('eps', 1e-6) }),
  RMSprop: (o) =>
    rmsprop({
      ...common(o, 1e-2),
      rho: o.number('alpha', 0.99),
      eps: o.number('eps', 1e-8),
      centered: o.flag('centered', false),
      momentum: o.number('momentum', 0),
    }),
}
