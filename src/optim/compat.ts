/**
 * Habits and defects of published code that no paper asks for, each reproducible by its name in an optimizer's `compat`
 * option and never otherwise. `kozistr` is pytorch_optimizer, `lessw2020` the first Ranger.
 */
export const compats = {
  'radam-ascends':
    'below its threshold RAdam climbs the loss: kozistr Ranger with degenerated_to_sgd off lacks a guard against its step size of −1',
  'radam-never-adapts': 'a β₂ with which RAdam can never adapt is accepted, and it only averages: all published code',
  'decay-times-step-size':
    'weight decay is multiplied by the adaptive step size too, 20 times lr·λ at step 1 and 0.0075 times at step 6 (β₁ 0.95): ranger2020.py, GC repository',
  'decay-only-when-moving': 'no weight decay in steps RAdam skips: LiyuanLucasLiu/RAdam',
  'decay-is-centralized':
    'centralization after the decay takes the mean of the decay too, so filter means never shrink: ranger2020.py with gc_loc off',
  'warm-up-overwrites-momentum':
    'below the threshold decay and centralization change the momentum itself, which the update is an alias of: ranger2020.py, GC repository',
  'lookahead-starts-at-first-meeting':
    'slow weights are the fast ones of step k, so the first meeting does nothing: timm',
  'lookahead-starts-after-first-step': 'slow weights are the fast ones of step 1, meetings at 1, k+1, 2k+1 …: alphadl',
  'lookahead-starts-at-zero':
    'slow weights start at zero, so the first meeting shrinks the weights to α times theirs, and meetings come every k+1 steps: michaelrzhang, TensorFlow version',
  'lookahead-aliased-pullback':
    'the momentum remembered for pull-back is the momentum itself: α times it at the first meeting, α(2−α) times at later ones: michaelrzhang, PyTorch version',
  'schedule-free-ascends': 'the training point climbs the loss: a sign in some published RAdamScheduleFree',
  'nadam-mu-twice': 'the momentum product of the coming step holds the present μ twice: torch.optim.NAdam up to 1.13',
  'clip-divides':
    'gradients above the limit are divided by the clipping factor, not multiplied: kozistr Lamb with pre_norm',
  'lamb-moved-norm':
    'the trust ratio divides by the norm of the moved weights instead of that of the update: kozistr Lamb with rectify',
  'muon-kernel-ratio':
    'the update of a convolution is scaled by √max(1, kh/kw) instead of √max(1, rows/columns) of its matrix: KellerJordan/Muon',
} as const

export type Compat = keyof typeof compats

/** One or more of `compats`. */
export type CompatOption = { compat?: Compat | readonly Compat[] }

export const has = ({ compat }: CompatOption, name: Compat): boolean =>
  compat !== undefined && [compat].flat().includes(name)
