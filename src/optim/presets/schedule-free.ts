import { adamScaling } from '../links/adam.ts'
import { type DecayOptions, withDecay } from '../links/decay.ts'
import type { Betas } from '../links/moments.ts'
import { radamScaling } from '../links/radam.ts'
import { type ScheduleFreeOptions, scheduleFree } from '../links/schedule-free.ts'
import { type OptimizerOptions, optimizer } from '../optimizer.ts'

type Base = OptimizerOptions & DecayOptions & Omit<ScheduleFreeOptions, 'beta'>

export type ScheduleFreeSgdOptions = Base & {
  /** Where the gradient is taken between average and iterate; 0.9. */
  momentum?: number
}

/** Schedule-free SGD. Rate 1. Defazio et al.: The Road Less Scheduled, NeurIPS 2024. */
export const scheduleFreeSgd = (o: ScheduleFreeSgdOptions = {}) =>
  optimizer([...withDecay({ decay: 'l2', ...o }, []), scheduleFree({ ...o, beta: o.momentum ?? 0.9 })], { lr: 1, ...o })

export type ScheduleFreeAdamOptions = Base & {
  /** β₁ says where the gradient is taken, β₂ averages squares; [0.9, 0.999]. */
  betas?: Betas
  /** 1e-8. */
  eps?: number
}

/** Schedule-free AdamW; decay is taken at y. Rate 2.5e-3, a warm-up helps. */
export const scheduleFreeAdamw = (o: ScheduleFreeAdamOptions = {}) => {
  const [beta, beta2] = o.betas ?? [0.9, 0.999]
  const adapt = adamScaling({ betas: [0, beta2], eps: o.eps ?? 1e-8, correct: 'second' })
  return optimizer([...withDecay({ decay: 'scaled', ...o }, [adapt]), scheduleFree({ ...o, beta })], {
    lr: 2.5e-3,
    ...o,
  })
}

export type ScheduleFreeRadamOptions = ScheduleFreeAdamOptions & {
  /** Before RAdam adapts, stand still ('skip') or step along the gradient ('sgd'); 'skip'. */
  warmup?: 'skip' | 'sgd'
}

/** Schedule-free RAdam, which needs no warm-up. Rate 2.5e-3. */
export const scheduleFreeRadam = (o: ScheduleFreeRadamOptions = {}) => {
  const [beta, beta2] = o.betas ?? [0.9, 0.999]
  const adapt = radamScaling({
    betas: [0, beta2],
    eps: o.eps ?? 1e-8,
    threshold: 4,
    inclusive: false,
    warmup: o.warmup ?? 'skip',
    epsOn: 'corrected',
  })
  return optimizer([...withDecay({ decay: 'scaled', ...o }, [adapt]), scheduleFree({ ...o, beta })], {
    lr: 2.5e-3,
    ...o,
  })
}
