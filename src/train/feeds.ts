import type { Loss } from '../autodiff/index.ts'
import { UsageError } from '../base/index.ts'
import { type Batch, batches, type Dataset } from '../data/index.ts'
import type { Model } from '../onnx/index.ts'
import type { Values } from '../runtime/index.ts'
import type { Engine } from './engine.ts'
import { inputOf, samplesAndLabels } from './inputs.ts'

/** How many updates an epoch makes. @throws UsageError for a batch that makes no sense */
export const updatesPerEpoch = (data: Dataset, batch: number, accumulate = 1): number =>
  Math.ceil(batches(data, { batch }).perEpoch / accumulate)

/** What a batch feeds: the samples to the model's one input, and the labels to a second where the model makes the loss itself. */
export const feedsOf = (model: Model, loss: Loss): ((batch: Batch) => Values) => {
  if (loss.value !== undefined) return samplesAndLabels(model)
  const input = inputOf(model)
  return ({ inputs }) => ({ [input]: inputs })
}

/** What a loss reads of a batch unless said otherwise: the numbers to meet where there are such, else the labels. */
export const targetsFor =
  (data: Dataset, loss: Loss) =>
  async ({ labels, target }: Batch): Promise<Values> => {
    if (loss.value !== undefined) return {}
    const wanted = Object.keys(loss.targets([1, 1]))
    if (data.targets && !wanted.includes('target'))
      throw new UsageError(`'${data.name}' has numbers to meet, and the loss ${loss.name} takes classes`, {
        remedy: 'use mse, huber or bce (--loss), or data with class numbers',
      })
    return target ? { target } : { labels }
  }

/** A label past the last output would be read from memory that is not there. */
export const checkClasses = (data: Dataset, { outputDims }: Engine) => {
  if (data.targets) return
  // One score tells two classes apart by its sign.
  const classes = Math.max(2, outputDims[1] ?? 1)
  if (data.classes.length > classes)
    throw new UsageError(`'${data.name}' has ${data.classes.length} classes and the model tells ${classes} apart`, {
      remedy: 'use data with the classes the model knows, or give it a new head (--new-head)',
    })
}
