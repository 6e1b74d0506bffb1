import { readFile } from 'node:fs/promises'
import { type Loss, type LossOptions, lossesTaking, lossNamed, lossNames } from '../autodiff/index.ts'
import { EspalierError, float32, float32Of, messageOf, numbersOf, sizeOf, UsageError } from '../base/index.ts'
import type { Batch, Dataset } from '../data/index.ts'
import type { AnswerKind } from '../data/node.ts'
import type { Model } from '../onnx/index.ts'
import { fedInputs } from '../prune/index.ts'
import { headOf, type TrainOptions } from '../train/node.ts'
import type { Effect } from './effects.ts'
import type { Options, Parsed } from './options.ts'
import { type Pupil, teaching } from './teachers.ts'

/** Flags that say what is minimised. */
export const lossOptions = {
  loss: {
    kind: 'text',
    value: 'NAME',
    help: 'cross-entropy (of pixels too), bce, mse, huber, kl (to --teacher, or to shares in the data), or output:NAME, a number of the graph',
    default: 'cross-entropy',
    check: (text: string) => checkLossName(text),
  },
  'label-smoothing': {
    kind: 'number',
    value: 'X',
    help: 'share of each label spread over all classes',
    min: 0,
    max: 1,
  },
  'class-weights': {
    kind: 'text',
    value: 'WEIGHTS',
    help: 'balanced (rare classes count more), a list 1,2,0.5 or a FILE with one',
  },
  'ignore-index': {
    kind: 'number',
    value: 'N',
    help: 'label of what does not count, such as 255',
    min: -(2 ** 31),
    max: 2 ** 31 - 1,
    whole: true,
  },
  delta: { kind: 'number', value: 'X', help: 'where huber turns from squared to linear (1)', above: 0 },
  teacher: {
    kind: 'text',
    value: 'FILE',
    help: 'an ONNX model whose answers are learnt beside the labels (distillation)',
  },
  temperature: { kind: 'number', value: 'X', help: 'softens the answers of teacher and student (4)', above: 0 },
  'teacher-share': { kind: 'number', value: 'X', help: "the teacher's share of the loss (0.7)", min: 0, max: 1 },
} as const satisfies Options

export type LossValues = Parsed<typeof lossOptions>

const named = (names: readonly string[]) => names.map((name) => `loss=${name}`)

/** With which losses these flags have an effect. */
export const lossEffects: readonly Effect<keyof typeof lossOptions>[] = [
  { flags: ['label-smoothing'], with: named(lossesTaking('labelSmoothing')) },
  { flags: ['class-weights'], with: named(lossesTaking('classWeights')) },
  { flags: ['ignore-index'], with: named(lossesTaking('ignoreIndex')) },
  { flags: ['delta'], with: named(lossesTaking('delta')) },
  { flags: ['temperature'], with: ['teacher', 'loss=kl'] },
  { flags: ['teacher-share'], with: ['teacher'], without: ['loss=kl'] },
  { flags: ['teacher'], with: named(['cross-entropy', 'kl', 'distillation']) },
]

const checkLossName = (loss: string): void => {
  if (!lossNames.includes(loss) && !/^output:./s.test(loss))
    throw new UsageError(`--loss ${loss} is not known`, { remedy: `use one of ${lossNames.join(', ')} or output:NAME` })
}

/** A loss with what it reads of each batch. */
export type Objective = {
  readonly loss: Loss
  readonly targetsOf?: NonNullable<TrainOptions['targetsOf']>
  close(): Promise<void>
}

/**
 * What a loss takes the data's y for. A network of one output that is trained on differences is to give a number, however
 * whole those of the data are; of several, whole numbers are classes still. A graph that makes its own loss takes what its
 * second input is made for.
 */
export const answersFor = (loss: string, model: Model, { classes, taught = false }: Expected): AnswerKind => {
  if (loss.startsWith('output:')) return fedInputs(model)[1]?.type === 'float32' ? 'either' : 'classes'
  if (loss === 'kl' && !taught) return 'numbers'
  if (loss === 'bce') return 'either'
  const outputs = classes ?? outputsOf(model)
  return loss === 'mse' || loss === 'huber' ? (outputs === 1 ? 'numbers' : 'either') : 'classes'
}

/** The number of classes asked for, if not the model's, and whether a teacher answers too. */
type Expected = { readonly classes?: number | undefined; readonly taught?: boolean | undefined }

/** The loss that a trained file states: what its samples' answers are. A teacher's pupil is one for classes. */
export const saidLoss = ({ loss, teacher }: LossValues): string =>
  loss === 'kl' && teacher !== undefined ? 'cross-entropy' : loss

/** The loss that the flags ask for. @throws UsageError for flags that do not go together */
export const objectiveFrom = async (
  model: Model,
  values: LossValues,
  { data, teacher, threads, order }: Omit<Pupil, 'outputs'> & { readonly teacher?: Model | undefined },
): Promise<Objective> => {
  const outputs = outputsOf(model) ?? data.classes.length
  const weights = values['class-weights']
  const options: LossOptions = {
    ...numbersFrom(values),
    ...(weights !== undefined && { classWeights: await classWeightsFrom(weights, data, outputs) }),
  }
  const name = lossNameFrom(values, data)
  const shares = name === 'kl' && teacher === undefined
  const loss = lossNamed(name, shares ? { temperature: 1, ...options } : options)
  const guide = teacher && (await teaching(teacher, { data, outputs, threads, order }, name !== 'kl'))
  const oneHot = !data.targets && ['bce', 'mse', 'huber'].includes(name)
  const targetsOf =
    guide?.targetsOf ?? (shares ? logsOfShares(data) : oneHot ? oneHotTargets(data, outputs) : undefined)
  return { loss, ...(targetsOf && { targetsOf }), close: async () => guide?.close() }
}

/** How many scores a model gives, where its file says so or its last layer shows it. */
export const outputsOf = (model: Model): number | undefined => {
  const dim = model.graph.outputs[0]?.dims?.[1]
  return typeof dim === 'number' ? dim : headOf(model)?.classes
}

/** @throws UsageError for flags that the loss does not take; what needs the data is not looked at. */
export const checkLossFlags = (values: LossValues): void => {
  const { loss, teacher } = values
  const name = teacher !== undefined && loss === 'cross-entropy' ? 'distillation' : loss
  lossNamed(name, { ...numbersFrom(values), ...(values['class-weights'] !== undefined && { classWeights: [] }) })
}

const numbersFrom = (values: LossValues): LossOptions => ({
  ...given('labelSmoothing', values['label-smoothing']),
  ...given('ignoreIndex', values['ignore-index']),
  ...given('delta', values.delta),
  ...given('temperature', values.temperature),
  ...given('weight', values['teacher-share']),
})

/** An option under its name where there is a value. */
const given = <K extends keyof LossOptions>(key: K, value: number | undefined) =>
  value === undefined ? {} : { [key]: value }

const lossNameFrom = (values: LossValues, data: Dataset): string => {
  const { loss, teacher } = values
  const taught = loss === 'kl' || loss === 'distillation'
  if (taught && teacher === undefined && !(loss === 'kl' && data.targets))
    throw new UsageError(`--loss ${loss} needs --teacher`, { remedy: 'name the ONNX file to learn from' })
  if (teacher !== undefined && data.targets)
    throw new UsageError(`'${data.name}' has numbers to meet, and a teacher's answers go with classes`, {
      remedy: 'leave --teacher away, or use data with class numbers',
    })
  if (teacher !== undefined && loss !== 'cross-entropy' && !taught)
    throw new UsageError('--teacher goes with cross-entropy or kl', { remedy: 'leave --loss away' })
  return teacher !== undefined && loss === 'cross-entropy' ? 'distillation' : loss
}

/** 'balanced', numbers in a list, or a file of them. */
const classWeightsFrom = async (text: string, data: Dataset, outputs: number): Promise<number[]> => {
  if (text === 'balanced' && data.targets)
    throw new UsageError('--class-weights balanced counts classes, and the data has numbers to meet', {
      remedy: 'give a list with a weight for each of them',
    })
  if (text === 'balanced') return balancedWeights(data, outputs)
  const isList = /^[\d.,eE+\-\s[\]]+$/
  const list = isList.test(text)
    ? text
    : await readFile(text, 'utf8').catch((error: unknown) => {
        throw new EspalierError(`cannot read the class weights: ${messageOf(error)}`, {
          place: { file: text },
          remedy: 'give balanced, a list 1,2,0.5 or a file with one',
        })
      })
  const weights = list
    .split(/[\s,[\]]+/)
    .filter((part) => part !== '')
    .map(Number)
  const bad = weights.find((weight) => !(weight >= 0))
  if (bad !== undefined || weights.length !== outputs)
    throw new UsageError(
      bad === undefined
        ? `${weights.length} class weights for ${outputs} classes`
        : `a class weight is no number from 0`,
      {
        place: isList.test(text) ? { value: '--class-weights' } : { file: text },
        remedy: 'give a number for each class',
      },
    )
  if (!data.targets && !data.labels.some((label) => label !== data.ignore && (weights[label] ?? 1) > 0))
    throw new UsageError('the class weights of all classes that have samples are 0', {
      place: { value: '--class-weights' },
      remedy: 'give those that count a weight above 0',
    })
  return weights
}

/** w_c = N / (C·n_c) for n_c of N labels of class c, so that all classes weigh the same together; 1 without a sample. */
export const balancedWeights = ({ labels, ignore }: Dataset, classes: number): number[] => {
  const counts = new Float64Array(classes)
  let all = 0
  for (const label of labels)
    if (label !== ignore && label < classes) {
      counts[label]!++
      all++
    }
  return Array.from(counts, (count) => (count === 0 ? 1 : all / (classes * count)))
}

/** 1 at the class of the sample (pixel) and 0 at the others; of a single output, the class itself. */
const oneHotTargets =
  (data: Dataset, outputs: number) =>
  async ({ labels }: Batch) => {
    const [count = 0, ...places] = labels.dims
    const positions = sizeOf(places)
    const values = new Float32Array(count * outputs * positions)
    for (const [i, label] of numbersOf(labels).entries()) {
      const [sample, at] = [Math.floor(i / positions), i % positions]
      if (label === data.ignore)
        throw new UsageError('only cross-entropy can leave pixels out', { remedy: 'use it, or label all pixels' })
      if (outputs === 1) values[i] = label
      else values[(sample * outputs + label) * positions + at] = 1
    }
    return { target: float32([count, outputs, ...places], values) }
  }

/** Shares of each class as a teacher's scores: log t, of which the softmax is t again. */
const logsOfShares = (data: Dataset) => {
  const { targets = new Float32Array(0), targetDims: [classes = 1] = [] } = data
  for (let at = 0; at < targets.length; at += classes) {
    const row = targets.subarray(at, at + classes)
    const sum = row.reduce((a, b) => a + b, 0)
    if (row.some((share) => share < 0) || Math.abs(sum - 1) > 1e-3)
      throw new UsageError(`the numbers of sample ${at / classes} of '${data.name}' are no shares of its classes`, {
        remedy: '--loss kl takes numbers from 0 that add up to 1; use bce or mse for others',
      })
  }
  return async ({ target }: Batch) => {
    const { dims } = target!
    return {
      teacher: float32(
        dims,
        float32Of(target!).map((share) => Math.log(Math.max(share, 1e-30))),
      ),
    }
  }
}
