import { UsageError } from '../../base/index.ts'
import { networks } from '../../nn/index.ts'
import { entrantOf } from '../../train/node.ts'
import { benchCentralization } from '../bench/centralization.ts'
import { benchOptimizers, contestEffects, contestOptions } from '../bench/optimizers.ts'
import { benchPrune } from '../bench/prune.ts'
import { benchTrain } from '../bench/train.ts'
import { command } from '../command.ts'
import { limits } from '../options.ts'

export const bench = command({
  name: 'bench',
  summary: 'time of training steps and of pruning; optimizers against each other, all tuned alike',
  usage: 'train|prune|optimizers|centralization',
  positionals: ['train|prune|optimizers|centralization'],
  options: {
    network: { kind: 'list', value: 'NAME', help: 'only these (for prune, ONNX files too)' },
    batch: {
      kind: 'number',
      value: 'N',
      help: 'samples in a batch (50 for MNIST CNNs, else 32)',
      min: 1,
      max: limits.batch,
      whole: true,
    },
    steps: {
      kind: 'number',
      value: 'N',
      help: 'steps timed or watched',
      default: 60,
      min: 5,
      max: limits.count,
      whole: true,
    },
    optimizer: {
      kind: 'list',
      value: 'NAME',
      help: 'part of the step (ranger); or those that compete',
      check: entrantOf,
    },
    threads: { kind: 'number', value: 'N', help: 'cores to use', min: 1, max: limits.threads, whole: true },
    tune: { kind: 'flag', help: 'a step as tuning finds it fastest here' },
    ...contestOptions,
  },
  effects: [
    { flags: ['batch', 'threads'], with: ['train', 'optimizers', 'centralization'] },
    { flags: ['steps'], with: ['train', 'centralization'] },
    { flags: ['optimizer'], with: ['train', 'optimizers'] },
    { flags: ['tune'], with: ['train'] },
    ...contestEffects,
  ],
  async run({ positionals: [what = ''], values, console }) {
    if (what === 'optimizers') return benchOptimizers(values, console)
    if (what === 'centralization') return benchCentralization(values, console)
    const names = values.network.length > 0 ? values.network : Object.keys(networks)
    if (what === 'train')
      return benchTrain(names, { ...values, optimizer: values.optimizer.at(-1) ?? 'ranger' }, console)
    if (what === 'prune') return benchPrune(names, console)
    throw new UsageError(`there is no bench of '${what}'`, { remedy: 'use train, prune, optimizers or centralization' })
  },
})
