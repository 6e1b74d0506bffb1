import type { Recipe } from '../optimizer.ts'
import { adam, adamw } from '../presets/adam.ts'
import { radam } from '../presets/ranger.ts'
import { sgd } from '../presets/sgd.ts'
import type { OptionReader } from './options.ts'

/** What every optimizer of torch.optim 1.13 takes without influence on the numbers. */
const plumbing = ['foreach', 'capturable', 'differentiable', 'fused'] as const

const common = (o: OptionReader, lr: number) => {
  o.ignore(...plumbing)
  return { lr: o.number('lr', lr), maximize: o.flag('maximize', false) }
}

/** torch.optim 1.13 by class name: its options and defaults in ours. */
export const torchOptimizers: Record<string, (o: OptionReader) => Recipe> = {
  SGD: (o) =>
    sgd({
      ...common(o, 1e-3),
      momentum: o.number('momentum', 0),
      dampening: o.number('dampening', 0),
      nesterov: o.flag('nesterov', false),
      weightDecay: o.number('weight_decay', 0),
    }),
  Adam: (o) =>
    adam({
      ...common(o, 1e-3),
      betas: o.pair('betas', [0.9, 0.999]),
      eps: o.number('eps', 1e-8),
      amsgrad: o.flag('amsgrad', false),
      weightDecay: o.number('weight_decay', 0),
    }),
  AdamW: (o) =>
    adamw({
      ...common(o, 1e-3),
      betas: o.pair('betas', [0.9, 0.999]),
      eps: o.number('eps', 1e-8),
      amsgrad: o.flag('amsgrad', false),
      weightDecay: o.number('weight_decay', 0.01),
    }),
  RAdam: (o) =>
    radam({
      ...common(o, 1e-3),
      betas: o.pair('betas', [0.9, 0.999]),
      eps: o.number('eps', 1e-8),
      inclusive: false,
      decay: 'l2',
      weightDecay: o.number('weight_decay', 0),
    }),
}
