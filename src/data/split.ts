import { random, sizeOf, UsageError } from '../base/index.ts'
import { labelsAt, targetsAt } from './rows.ts'
import type { Dataset } from './types.ts'

/** The samples at `indices`, in that order; `inputs` is shared, not copied. */
export const subset = (data: Dataset, indices: ArrayLike<number>, name = data.name): Dataset => {
  const rows = new Uint32Array(indices.length)
  const perSample = sizeOf(data.labelDims ?? [])
  const labels = new Int32Array(data.targets ? 0 : indices.length * perSample)
  const perTarget = sizeOf(data.targetDims ?? [])
  const targets = data.targets && new Float32Array(indices.length * perTarget)
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!
    if (!Number.isInteger(index) || index < 0 || index >= data.size)
      throw new UsageError(`there is no sample ${index} among the ${data.size} of '${data.name}'`, {
        remedy: 'samples count from 0',
      })
    rows[i] = data.rows?.[index] ?? index
    if (targets) targets.set(targetsAt(data, index), i * perTarget)
    else labels.set(labelsAt(data, index), i * perSample)
  }
  return { ...data, name, size: indices.length, rows, labels, ...(targets && { targets }) }
}

/**
 * Sets `fraction` of the samples aside for validation, the same share of every class (to the nearest sample; each class
 * with two samples or more keeps one on either side). The same seed gives the same split.
 */
export const split = (data: Dataset, fraction: number, seed: number): { train: Dataset; validation: Dataset } => {
  if (!(fraction > 0 && fraction < 1))
    throw new UsageError(`cannot set aside a fraction of ${fraction}`, { remedy: 'give a number between 0 and 1' })
  const dice = random(seed)
  // Samples that have numbers to meet, or whose every pixel has a class of its own, are all of one kind here; what does
  // not count is a kind of its own.
  const alike = data.labelDims !== undefined || data.targets !== undefined
  const kinds = alike ? 1 : data.classes.length + 1
  const kindOf = (label: number) => (label === data.ignore ? kinds - 1 : label)
  const byClass: number[][] = Array.from({ length: kinds }, () => [])
  for (let i = 0; i < data.size; i++) byClass[alike ? 0 : kindOf(data.labels[i]!)]!.push(i)
  const train: number[] = []
  const validation: number[] = []
  for (const samples of byClass) {
    dice.shuffle(samples)
    const wanted = Math.round(samples.length * fraction)
    const aside = samples.length < 2 ? wanted : Math.min(Math.max(wanted, 1), samples.length - 1)
    validation.push(...samples.slice(0, aside))
    train.push(...samples.slice(aside))
  }
  if (train.length === 0 || validation.length === 0)
    throw new UsageError(`'${data.name}' has too few samples to set aside a fraction of ${fraction}`, {
      remedy: 'give more samples',
    })
  const ordered = (indices: number[]) => Uint32Array.from(indices).sort()
  return {
    train: subset(data, ordered(train), `${data.name} (train)`),
    validation: subset(data, ordered(validation), `${data.name} (validation)`),
  }
}
