import { sizeOf, UsageError } from '../base/index.ts'
import { storedAt } from './rows.ts'
import type { Dataset, Layout, Normalise } from './types.ts'

/** How many channels a sample of these dimensions has. */
export const channelsOf = (dims: readonly number[], layout: Layout) =>
  (layout === 'channels-first' ? dims[0] : dims.at(-1)) ?? 1

/** @throws UsageError when mean, std and scale do not fit so many channels */
export const checkNormalise = ({ scale, mean, std }: Normalise, channels: number) => {
  for (const [name, values] of Object.entries({ mean, std }))
    if (values.length !== 1 && values.length !== channels)
      throw new UsageError(`${name} has ${values.length} numbers for ${channels} channels`, {
        remedy: 'give one, or one for each channel',
      })
  if (![scale, ...mean, ...std].every(Number.isFinite) || std.some((value) => value <= 0))
    throw new UsageError('mean, std and scale must be numbers, and std positive', { remedy: 'check them' })
}

/** The same samples, normalised otherwise: what is not given stays. */
export const withNormalise = (data: Dataset, normalise: Partial<Normalise>): Dataset => {
  const merged = { ...data.normalise, ...normalise }
  checkNormalise(merged, channelsOf(data.sampleDims, data.layout))
  return { ...data, normalise: merged }
}

/** The same samples, each seen in another shape of as many values (784 columns as 1 × 28 × 28). */
export const reshape = (data: Dataset, sampleDims: readonly number[]): Dataset => {
  if (data.varied || sizeOf(sampleDims) !== sizeOf(data.sampleDims))
    throw new UsageError(
      `samples of ${data.varied ? 'several shapes' : `shape [${data.sampleDims.join(', ')}]`} of '${data.name}' cannot be seen as [${sampleDims.join(', ')}]`,
      { remedy: 'use data of the size that the model takes, or resize it' },
    )
  checkNormalise(data.normalise, channelsOf(sampleDims, data.layout))
  return { ...data, sampleDims }
}

/** Mean and standard deviation of each channel in the scaled units of `normalise`, to be used with `withNormalise`. */
export const statistics = (data: Dataset): { mean: number[]; std: number[] } => {
  const channels = channelsOf(data.sampleDims, data.layout)
  const sums = new Float64Array(channels)
  const squares = new Float64Array(channels)
  let values = 0
  for (let i = 0; i < data.size; i++) {
    const stored = storedAt(data, i)
    const run = data.layout === 'channels-first' ? stored.length / channels : 1
    values += stored.length
    for (let j = 0; j < stored.length; j++) {
      const channel = Math.floor(j / run) % channels
      const value = stored[j]! * data.normalise.scale
      sums[channel]! += value
      squares[channel]! += value * value
    }
  }
  const count = values / channels
  const mean = Array.from(sums, (sum) => sum / count)
  // A channel that never changes would be divided by 0.
  const std = mean.map((m, channel) => Math.sqrt(Math.max(0, squares[channel]! / count - m * m)) || 1)
  return { mean, std }
}
