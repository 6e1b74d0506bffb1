import { availableParallelism } from 'node:os'
import { lossNamed, trainableInitializers } from '../autodiff/index.ts'
import { numbersOf, UsageError } from '../base/index.ts'
import { type Batch, type Dataset, oneHot } from '../data/index.ts'
import type { Model } from '../onnx/index.ts'
import { optimizerNamed, parseSchedule } from '../optim/index.ts'
import { matches } from '../prune/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { inputOf, openParallelEngine, type TrainOptions } from '../train/node.ts'
import type { Options, Parsed } from './options.ts'

/** Flags that say how to train, shared by the commands that do. */
export const trainingOptions = {
  optimizer: { kind: 'text', value: 'NAME', help: 'ranger, radam, adamw, sgd, …', default: 'ranger' },
  lr: { kind: 'number', value: 'X', help: 'learning rate', min: 0 },
  schedule: {
    kind: 'text',
    value: 'TEXT',
    help: 'constant, cosine, flat-cosine, warmup:5%+cosine, step:10,20:0.1 …',
    default: 'constant',
  },
  'weight-decay': { kind: 'number', value: 'X', help: 'weight decay of the optimizer', min: 0 },
  batch: { kind: 'number', value: 'N', help: 'samples in a batch', default: 50, min: 1, whole: true },
  seed: { kind: 'number', value: 'N', help: 'makes the run repeat exactly', default: 0, min: 0, whole: true },
  freeze: { kind: 'list', value: 'PATTERN', help: 'initializers that stay as they are; * stands for anything' },
  'train-only': { kind: 'list', value: 'PATTERN', help: 'the only initializers to train' },
  loss: { kind: 'choice', among: ['cross-entropy', 'mse'], help: 'what is minimised', default: 'cross-entropy' },
  teacher: {
    kind: 'text',
    value: 'FILE',
    help: 'an ONNX model whose answers are learnt beside the labels (distillation)',
  },
  threads: { kind: 'number', value: 'N', help: 'cores to use; part of what makes a run repeat', min: 1, whole: true },
} as const satisfies Options

export type TrainingValues = Parsed<typeof trainingOptions>

/** Cores used unless said: two at least pay off, more than eight rarely do on one batch. */
export const defaultThreads = (): number => Math.min(availableParallelism(), 8)

/** What the flags say of a run over `data`, in the form that `train` takes. */
export const trainingFrom = (
  model: Model,
  values: TrainingValues,
  { data, epochs, lr, teacher }: { data: Dataset; epochs: number; lr: number; teacher?: Model },
): Omit<TrainOptions, 'onEvent'> & { close(): Promise<void> } => {
  const { batch, seed, optimizer } = values
  const stepsPerEpoch = Math.ceil(data.size / batch)
  const steps = Math.ceil(epochs * stepsPerEpoch)
  const recipe = optimizerNamed(optimizer, {
    lr: values.lr ?? lr,
    schedule: parseSchedule(values.schedule, { steps, stepsPerEpoch }),
    ...(values['weight-decay'] !== undefined && { weightDecay: values['weight-decay'] }),
  })
  const threads = values.threads ?? defaultThreads()
  const guide = teacher && teaching(teacher, threads)
  if (guide && values.loss !== 'cross-entropy')
    throw new UsageError('--teacher goes with cross-entropy', { remedy: 'leave --loss away' })
  return {
    runtime: nodeRuntime,
    threads,
    data,
    recipe,
    epochs,
    batch,
    seed,
    loss: lossNamed(guide ? 'distillation' : values.loss),
    trainable: trainableFrom(model, values),
    ...(values.loss === 'mse' && { targetsOf: oneHotTargets(model, data) }),
    ...(guide && { targetsOf: guide.targetsOf }),
    open: (m, options, example) => openParallelEngine(m, { ...options, shards: threads }, example),
    close: async () => guide?.close(),
  }
}

/** The mean squared error is taken to 1 at the sample's class and 0 at the others. */
const oneHotTargets = ({ graph }: Model, data: Dataset) => {
  const outputs = graph.outputs[0]?.dims?.[1]
  const classes = typeof outputs === 'number' ? outputs : data.classes.length
  return async ({ labels }: Batch) => ({ target: oneHot(numbersOf(labels), classes) })
}

/** Runs a teacher on every batch: its answers become a target of the distillation loss. */
export const teaching = (teacher: Model, threads: number) => {
  const input = inputOf(teacher)
  const opened = nodeRuntime.open(teacher, { threads })
  return {
    targetsOf: async ({ inputs, labels }: Batch) => {
      const session = await opened
      const output = session.outputs[0]!
      const answers = await session.run({ [input]: inputs }, [output])
      return { labels, teacher: answers[output]! }
    },
    close: async () => (await opened).close(),
  }
}

/** @throws UsageError when a pattern matches nothing or nothing is left to train */
export const trainableFrom = (model: Model, values: Pick<TrainingValues, 'freeze' | 'train-only'>): string[] => {
  const all = trainableInitializers(model.graph)
  const named = (patterns: readonly string[]) => {
    for (const pattern of patterns)
      if (!all.some((name) => matches(pattern, name)))
        throw new UsageError(`'${pattern}' matches no trainable initializer`, {
          remedy: `there are ${all.slice(0, 8).join(', ')}${all.length > 8 ? ', …' : ''}`,
        })
    return all.filter((name) => patterns.some((pattern) => matches(pattern, name)))
  }
  const frozen = new Set(named(values.freeze))
  const chosen = values['train-only'].length > 0 ? named(values['train-only']) : all
  const left = chosen.filter((name) => !frozen.has(name))
  if (left.length === 0) throw new UsageError('nothing is left to train', { remedy: 'freeze less' })
  return left
}
