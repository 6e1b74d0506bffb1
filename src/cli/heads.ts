import { UsageError } from '../base/index.ts'
import { type Dataset, statedClasses } from '../data/index.ts'
import type { Model } from '../onnx/index.ts'
import { type NewHead, newHead } from '../train/node.ts'
import { outputsOf } from './losses.ts'
import type { Options, Parsed } from './options.ts'

/** Flags of a network's last layer. */
export const headOptions = {
  classes: {
    kind: 'number',
    value: 'N',
    help: 'gives the network a new last layer for so many classes',
    min: 1,
    max: 100_000,
    whole: true,
  },
  'new-head': { kind: 'flag', help: 'gives it a new last layer for as many classes as the data has' },
} as const satisfies Options

/**
 * The model with a new last layer where the flags ask for one.
 * @throws UsageError when the data has another number of classes than the model and they do not
 */
export const withHead = (
  model: Model,
  { classes, 'new-head': fresh, seed, loss }: Parsed<typeof headOptions> & { seed: number; loss: string },
  data: Dataset,
): { model: Model; head?: NewHead } => {
  const outputs = outputsOf(model)
  const numbers = data.targets !== undefined
  const wanted = classes ?? data.classes.length
  if (wanted < data.classes.length)
    throw new UsageError(`'${data.name}' has ${data.classes.length} classes, more than --classes ${wanted}`, {
      remedy: 'leave --classes away or give a larger number',
    })
  if (fresh || (classes !== undefined && classes !== outputs)) return newHead(model, wanted, { seed })
  if (outputs === undefined || loss.startsWith('output:')) return { model }
  if (numbers && data.classes.length !== outputs)
    throw new UsageError(
      `'${data.name}' has ${data.classes.length} numbers for each sample and the model gives ${outputs}`,
      {
        remedy: 'give the model a new last layer with --new-head, or use data with as many numbers',
      },
    )
  if (numbers) return { model }
  const told = outputs === 1 ? 2 : outputs
  // Folders are numbered in alphabetical order: fewer of them than outputs would be other classes than the model's.
  const named = data.name.startsWith('images:') && !data.labelDims && !statedClasses(model)
  if (data.classes.length > told || (named && data.classes.length < told))
    throw new UsageError(`'${data.name}' has ${data.classes.length} classes and the model tells ${told} apart`, {
      remedy: `${data.labelDims ? 'say which label does not count (--ignore-index), ' : ''}give the model a new last layer with --new-head, or use data with the classes it knows`,
    })
  return { model }
}
