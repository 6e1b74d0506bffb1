import type { Preprocessing } from '../../data/index.ts'
import type { Settings } from '../../train/node.ts'
import { defaultThreads } from '../runs.ts'
import type { TrainValues } from './flags.ts'

/** Flags of which a resumed run must have the same, beside those that its settings name otherwise. */
const otherSettings = [
  ...([
    'label-smoothing',
    'class-weights',
    'ignore-index',
    'delta',
    'teacher',
    'temperature',
    'teacher-share',
  ] as const),
  ...(['clip-norm', 'clip-value', 'clip-adaptive', 'bn'] as const),
]

/** What a run is about that its flags do not say by themselves. */
type Run = {
  /** The file's hash, or the network's name. */
  readonly model: string
  readonly data: string
  readonly preprocessing: Preprocessing
  readonly splitSeed: number
  /** Classes of a new head. */
  readonly head: number | undefined
  readonly trainable: readonly string[] | undefined
}

/** What a resumed run must have the same. */
export const settingsOf = (values: TrainValues, run: Run): Settings => ({
  model: run.model,
  data: run.data,
  optimizer: values.optimizer,
  lr: values.lr ?? 1e-3,
  schedule: values.schedule,
  'weight-decay': values['weight-decay'] ?? null,
  group: values.group.join(' ') || null,
  epochs: values.epochs,
  batch: values.batch,
  seed: values.seed,
  accumulate: values.accumulate,
  loss: values.loss,
  ...Object.fromEntries(otherSettings.map((flag) => [flag, values[flag] ?? null])),
  head: run.head ?? null,
  augment: values.augment.join(' ') || null,
  preprocessing: JSON.stringify(run.preprocessing),
  'split-seed': run.splitSeed,
  threads: values.threads ?? defaultThreads(),
  trainable: run.trainable?.join(' ') ?? '',
})
