import { availableParallelism } from 'node:os'
import { augmentationNamed, type Dataset } from '../data/index.ts'
import type { Model } from '../onnx/index.ts'
import {
  adaptiveClip,
  clipNorm,
  clipValue,
  type Link,
  optimizer,
  optimizerNamed,
  parseGroup,
  parseGroups,
  parseSchedule,
  type Recipe,
  rolesOf,
} from '../optim/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { openFormulation, openParallelEngine, remembered, type TrainOptions, updatesPerEpoch } from '../train/node.ts'
import { lossOptions, objectiveFrom } from './losses.ts'
import { limits, type Options, type Parsed } from './options.ts'
import { trainableFrom, trainedOptions } from './trained.ts'

/** Flags of the optimizer. */
export const optimizerOptions = {
  optimizer: {
    kind: 'text',
    value: 'NAME',
    help: 'ranger, radam, adamw, sgd, …',
    default: 'ranger',
    check: (text: string) => optimizerNamed(text),
  },
  lr: { kind: 'number', value: 'X', help: 'learning rate', above: 0 },
  schedule: {
    kind: 'text',
    value: 'TEXT',
    help: 'constant, cosine, flat-cosine, warmup:5%+cosine, step:10,20:0.1 …',
    default: 'constant',
    // Of so many steps that no part of a schedule falls between two of them.
    check: (text: string) => parseSchedule(text, { steps: 1e9, stepsPerEpoch: 1 }),
  },
  'weight-decay': { kind: 'number', value: 'X', help: 'weight decay of the optimizer', min: 0 },
  group: {
    kind: 'list',
    value: 'NAMES:lr=0.1x,decay=0',
    help: 'parameters by pattern or role (@vector) with a rate (lr=1e-4, lr=0.1x), decay or optimizer=NAME of their own',
    check: (text: string) => parseGroup(text),
  },
  'clip-norm': { kind: 'number', value: 'X', help: 'largest norm of all gradients together', above: 0 },
  'clip-value': { kind: 'number', value: 'X', help: 'largest element of a gradient', above: 0 },
  'clip-adaptive': {
    kind: 'number',
    value: 'X',
    help: "largest ratio of a unit's gradient to its weights (0.01)",
    above: 0,
  },
} as const satisfies Options

/** Flags of how a run goes over the data and the machine. */
export const stepOptions = {
  batch: {
    kind: 'number',
    value: 'N',
    help: 'samples in a batch',
    default: 50,
    min: 1,
    max: limits.batch,
    whole: true,
  },
  accumulate: {
    kind: 'number',
    value: 'N',
    help: 'batches whose gradients make one step, as a batch N times as large would',
    default: 1,
    min: 1,
    max: limits.batch,
    whole: true,
  },
  augment: {
    kind: 'list',
    value: 'flip|shift:N',
    help: 'changes pictures at random, masks along with them: mirrored, or moved by up to N pixels',
    check: (text: string) => augmentationNamed([text]),
  },
  recompute: { kind: 'flag', help: 'computes activations anew on the way back: less memory for some more time' },
  tune: { kind: 'flag', help: 'measures first which formulation of a step is fastest here, and remembers it' },
  seed: {
    kind: 'number',
    value: 'N',
    help: 'makes the run repeat exactly',
    default: 0,
    min: 0,
    max: limits.seed,
    whole: true,
  },
  threads: {
    kind: 'number',
    value: 'N',
    help: 'cores to use; part of what makes a run repeat',
    min: 1,
    max: limits.threads,
    whole: true,
  },
} as const satisfies Options

/** Flags that say how to train, shared by the commands that do. */
export const trainingOptions = {
  ...optimizerOptions,
  ...stepOptions,
  ...trainedOptions,
  ...lossOptions,
} as const satisfies Options

/** The same in parts, as help shows them. */
export const trainingSections = {
  'the optimizer': optimizerOptions,
  'what is trained': trainedOptions,
  'the loss': lossOptions,
} as const satisfies { [title: string]: Options }

export type TrainingValues = Parsed<typeof trainingOptions>

/** Cores used unless said: two at least pay off, more than eight rarely do on one batch. */
export const defaultThreads = (): number => Math.min(availableParallelism(), 8)

/** What a run is over; `order` is that of its pictures' colours, which a teacher must share. */
type TrainingOver = {
  readonly data: Dataset
  readonly epochs: number
  readonly lr: number
  readonly teacher?: Model
  readonly order?: 'rgb' | 'bgr'
}

/** What the flags say of a run over `data`, in the form that `train` takes. */
export const trainingFrom = async (
  model: Model,
  values: TrainingValues,
  { data, epochs, lr, teacher, order }: TrainingOver,
): Promise<Omit<TrainOptions, 'onEvent'> & { close(): Promise<void> }> => {
  const { batch, accumulate, seed, recompute } = values
  const stepsPerEpoch = updatesPerEpoch(data, batch, accumulate)
  const steps = Math.ceil(epochs * stepsPerEpoch)
  const trainable = trainableFrom(model, values)
  const recipe = clipped(
    optimizerNamed(values.optimizer, {
      lr: values.lr ?? lr,
      schedule: parseSchedule(values.schedule, { steps, stepsPerEpoch }),
      ...(values['weight-decay'] !== undefined && { weightDecay: values['weight-decay'] }),
      ...(values.group.length > 0 && { groups: parseGroups(values.group, shapesOf(model, trainable)) }),
    }),
    values,
  )
  const threads = values.threads ?? defaultThreads()
  const { loss, targetsOf, close } = await objectiveFrom(model, values, { data, teacher, threads, order })
  const augmentation = augmentationNamed(values.augment)
  return {
    ...(augmentation && { augment: { with: augmentation, seed } }),
    ...{ runtime: nodeRuntime, threads, data, recipe, epochs, batch, accumulate, seed, loss, trainable, recompute },
    mode: values.bn === 'frozen' ? 'eval' : 'train',
    // Who interrupts a command waits for it.
    evaluateStopped: false,
    ...(targetsOf && { targetsOf }),
    open: async (m, given, example) => {
      const options = { ...given, shards: threads }
      return values.tune
        ? openFormulation(m, options, await remembered(m, options, example), example)
        : openParallelEngine(m, options, example)
    },
    close,
  }
}

/** Names, shapes and roles of some parameters, by which groups tell them apart. */
const shapesOf = ({ graph }: Model, names: readonly string[]) => {
  const roles = rolesOf(graph)
  return names.map((name) => ({
    ...{ name, dims: graph.initializers.get(name)?.dims ?? [] },
    ...(roles.get(name) ?? { role: 'other' as const }),
  }))
}

/** The recipe with the gradients clipped before anything else is done to them. */
const clipped = (recipe: Recipe, values: TrainingValues): Recipe => {
  const { 'clip-norm': norm, 'clip-value': value, 'clip-adaptive': adaptive } = values
  const links: Link[] = [
    ...(value === undefined ? [] : [clipValue(value)]),
    ...(adaptive === undefined ? [] : [adaptiveClip({ clipping: adaptive })]),
    ...(norm === undefined ? [] : [clipNorm(norm)]),
  ]
  if (links.length === 0) return recipe
  // The chain's links serve their groups already.
  const groups = recipe.groups.map(({ links: _, ...group }) => group)
  return optimizer([...links, ...recipe.links], { lr: recipe.lr, schedule: recipe.schedule, groups })
}
