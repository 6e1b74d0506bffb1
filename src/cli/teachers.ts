import { messageOf, UsageError } from '../base/index.ts'
import { type Batch, batchOf, type Dataset, type Preprocessing, statedPreprocessing } from '../data/index.ts'
import type { Model } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { freeBatch, inputOf, scoresOf, withOutput } from '../train/node.ts'

/** Who is taught: its samples, and how many scores it gives. */
export type Pupil = {
  readonly data: Dataset
  readonly outputs: number
  readonly threads: number
  /** How the colours of its pictures follow each other, where it is known. */
  readonly order?: Preprocessing['order'] | undefined
}

/**
 * Runs a teacher on every batch: its scores become a target of the loss. It is asked of one sample at once, so that what
 * does not fit is known before anything is trained.
 * @throws UsageError when it cannot take the samples, expects them prepared otherwise, or tells other classes apart
 */
export const teaching = async (given: Model, { data, outputs, threads, order }: Pupil, withLabels = true) => {
  checkPreparation(given, data, order)
  const teacher = await freeBatch(given, nodeRuntime)
  const input = inputOf(teacher)
  const output = scoresOf(teacher) ?? ''
  const session = await nodeRuntime.open(withOutput(teacher, output), { threads })
  const scores = async ({ inputs }: Batch) => (await session.run({ [input]: inputs }, [output]))[output]!
  try {
    await checkScores(() => scores(batchOf(data, [0])), outputs)
  } catch (error) {
    await session.close()
    throw error
  }
  return {
    targetsOf: async (batch: Batch) => ({
      ...(withLabels && { labels: batch.labels }),
      teacher: await scores(batch),
    }),
    close: () => session.close(),
  }
}

const checkScores = async (ask: () => Promise<{ readonly dims: readonly number[] }>, outputs: number) => {
  const { dims } = await ask().catch((error: unknown) => {
    throw new UsageError(`the teacher cannot take the samples: ${messageOf(error)}`, {
      remedy: 'a teacher answers to the very samples that the model is trained on; give one of the same input',
    })
  })
  if (dims[1] !== outputs)
    throw new UsageError(`the teacher gives ${dims[1] ?? 1} scores and the model ${outputs}`, {
      remedy: 'a teacher tells the same classes apart: train it on this data first (--new-head), or name another',
    })
}

/** A teacher that reads other numbers than those it was trained on answers nonsense. */
const checkPreparation = (teacher: Model, { normalise, layout }: Dataset, order: Pupil['order']) => {
  const stated = statedPreprocessing(teacher)
  if (!stated) return
  const [wants, gets] = [stated.normalise, normalise]
  const alike = (a: readonly number[], b: readonly number[]) =>
    [0, 1, 2].every((c) => Math.abs((a[c] ?? a[0]!) - (b[c] ?? b[0]!)) < 1e-6)
  if (
    stated.layout === layout &&
    alike([wants.scale], [gets.scale]) &&
    alike(wants.mean, gets.mean) &&
    alike(wants.std, gets.std) &&
    (order === undefined || stated.channels !== 3 || stated.order === order)
  )
    return
  throw new UsageError('the teacher was trained on samples that were prepared otherwise', {
    remedy: `prepare them for both alike: --range ${wants.scale === 1 ? '0..255' : '0..1'} --mean ${wants.mean.join(',')} --std ${wants.std.join(',')} --layout ${stated.layout === 'channels-first' ? 'nchw' : 'nhwc'}${stated.channels === 3 ? ` --channels ${stated.order}` : ''}`,
  })
}
