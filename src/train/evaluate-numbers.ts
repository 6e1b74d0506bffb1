import { EspalierError, float32Of, sizeOf, UsageError } from '../base/index.ts'
import { batchesInOrder, batchOf, type Dataset, targetsAt } from '../data/index.ts'
import type { Session } from '../runtime/index.ts'
import type { Evaluation } from './evaluate.ts'

/** How one sample's answers z are judged against the numbers t they are to meet. */
type Judgement = {
  /** Whether answers are scores, before the last Softmax or Sigmoid. */
  readonly scores: boolean
  /** What the loss makes of a sample. */
  loss(z: Float32Array, t: Float32Array): number
  /** Which share of the answers is right, where numbers stand for a yes or no or for a class. */
  right?(z: Float32Array, t: Float32Array): number
}

const meanOver = (z: Float32Array, t: Float32Array, term: (z: number, t: number) => number) =>
  z.reduce((sum, value, k) => sum + term(value, t[k]!), 0) / z.length

const squares: Judgement = { scores: false, loss: (z, t) => meanOver(z, t, (a, b) => (a - b) ** 2) }

/** log(1 + eᶻ) − z·t, and right where z > 0 as t > ½. */
const yesOrNo: Judgement = {
  scores: true,
  loss: (z, t) => meanOver(z, t, (a, b) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))) - a * b),
  right: (z, t) => meanOver(z, t, (a, b) => Number(a > 0 === b > 0.5)),
}

/** KL(t ‖ softmax z), and right where the largest of both is the same. */
const shares: Judgement = {
  scores: true,
  loss: (z, t) => {
    const largest = Math.max(...z)
    const log = Math.log(z.reduce((sum, value) => sum + Math.exp(value - largest), 0)) + largest
    return t.reduce((sum, share, k) => sum + (share > 0 ? share * (Math.log(share) - z[k]! + log) : 0), 0)
  },
  right: (z, t) => Number(z.indexOf(Math.max(...z)) === t.indexOf(Math.max(...t))),
}

/** Judged by the mean square, as `mse`, unless the loss is another. Huber's too: its δ is the training's. */
const judgements: { readonly [loss: string]: Judgement } = { mse: squares, huber: squares, bce: yesOrNo, kl: shares }

const judgementOf = (loss: string): Judgement => {
  const found = Object.hasOwn(judgements, loss) ? judgements[loss] : undefined
  if (found) return found
  throw new UsageError(`the loss ${loss} does not compare numbers, and the samples have such to meet`, {
    remedy: `use one of ${Object.keys(judgements).join(', ')}, or data with classes`,
  })
}

/** Whether a loss over numbers reads scores. */
export const readsScores = (loss: string): boolean => judgementOf(loss).scores

/** Runs a network over samples that have numbers to meet. */
export const evaluateNumbers = async (
  session: Session,
  data: Dataset,
  options: {
    readonly batch?: number
    readonly samples?: number
    readonly input: string
    readonly output?: string
    readonly loss: string
    readonly signal?: AbortSignal
  },
): Promise<Evaluation> => {
  const { batch = 100, input, output = session.outputs[0]!, loss } = options
  const judgement = judgementOf(loss)
  const samples = Math.min(options.samples ?? data.size, data.size)
  const perSample = sizeOf(data.targetDims ?? [])
  const sums = { loss: 0, right: 0, distance: 0, squares: 0 }
  // Of each of a sample's numbers, for the variance that is to be explained.
  const [first, second] = [new Float64Array(perSample), new Float64Array(perSample)]
  for (const indices of batchesInOrder(data, samples, batch)) {
    options.signal?.throwIfAborted()
    const results = await session.run({ [input]: batchOf(data, indices).inputs }, [output])
    const { dims, bytes } = results[output]!
    const answers = float32Of({ type: 'float32', dims, bytes })
    if (answers.length !== indices.length * perSample)
      throw new EspalierError(
        `the answers are of shape [${dims.join(', ')}] and the numbers to meet [${[indices.length, ...(data.targetDims ?? [])].join(', ')}]`,
        { place: { value: output }, remedy: 'give as many numbers for each sample as the model does' },
      )
    for (const [i, sample] of indices.entries()) {
      const z = answers.subarray(i * perSample, (i + 1) * perSample)
      const t = targetsAt(data, sample)
      sums.loss += judgement.loss(z, t)
      sums.right += judgement.right?.(z, t) ?? Number.NaN
      for (let k = 0; k < perSample; k++) {
        sums.distance += Math.abs(z[k]! - t[k]!)
        sums.squares += (z[k]! - t[k]!) ** 2
        first[k]! += t[k]!
        second[k]! += t[k]! ** 2
      }
    }
  }
  const variance = second.reduce((sum, square, k) => sum + square - first[k]! ** 2 / samples, 0)
  const regression = !judgement.right && {
    meanError: sums.distance / (samples * perSample),
    explained: variance > 0 ? 1 - sums.squares / variance : Number.NaN,
  }
  const means = { loss: sums.loss / samples, accuracy: sums.right / samples }
  return { samples, ...means, ...regression, predictions: new Int32Array(0) }
}
