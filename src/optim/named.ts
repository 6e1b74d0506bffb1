import { UsageError } from '../base/index.ts'
import type { OptimizerOptions, Recipe } from './optimizer.ts'
import * as presets from './presets/index.ts'

/** What every preset takes; each one's further options keep their defaults. */
export type NamedOptions = OptimizerOptions & { weightDecay?: number }

/** The presets by the name a person types. */
export const optimizers: Readonly<Record<string, (options: NamedOptions) => Recipe>> = {
  sgd: (o) => presets.sgd({ momentum: 0.9, ...o }),
  nesterov: (o) => presets.sgd({ momentum: 0.9, nesterov: true, ...o }),
  adam: presets.adam,
  amsgrad: presets.amsgrad,
  adamw: presets.adamw,
  nadam: presets.nadam,
  adamax: presets.adamax,
  adagrad: presets.adagrad,
  adadelta: presets.adadelta,
  rmsprop: presets.rmsprop,
  adabelief: presets.adabelief,
  radam: presets.radam,
  ranger: presets.ranger,
  lamb: presets.lamb,
  lion: presets.lion,
  adan: presets.adan,
  ademamix: presets.ademamix,
  adopt: presets.adopt,
  mars: presets.mars,
  prodigy: presets.prodigy,
  muon: presets.muon,
  soap: presets.soap,
  'schedule-free-sgd': presets.scheduleFreeSgd,
  'schedule-free-adamw': presets.scheduleFreeAdamw,
  'schedule-free-radam': presets.scheduleFreeRadam,
}

/** The preset of a name. @throws UsageError listing the names there are */
export const optimizerNamed = (name: string, options: NamedOptions = {}): Recipe => {
  const preset = Object.hasOwn(optimizers, name) ? optimizers[name] : undefined
  if (preset) return preset(options)
  throw new UsageError(`there is no optimizer '${name}'`, {
    remedy: `use one of ${Object.keys(optimizers).join(', ')}`,
  })
}
