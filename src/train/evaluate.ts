import { EspalierError, float32, float32Of, sizeOf } from '../base/index.ts'
import { batchesInOrder, batchOf, type Dataset, labelsAt, statedSampling } from '../data/index.ts'
import { copyModel, type Model } from '../onnx/index.ts'
import type { Runtime, Session } from '../runtime/index.ts'
import { evaluateNumbers, readsScores } from './evaluate-numbers.ts'
import { evaluateOwn } from './evaluate-own.ts'
import { scoresOf, withOutput } from './head.ts'
import { inputOf } from './inputs.ts'

/** How a classifier did on labelled samples, or on their pixels where each has a class. */
export type Evaluation = {
  readonly samples: number
  /** Share of samples (pixels) whose largest score is their class, 0 to 1; NaN where they have numbers to meet, or the network's own loss is all there is to tell. */
  readonly accuracy: number
  /** Mean softmax cross-entropy; of a single score, the logistic one. Of numbers, the loss itself (`numberLosses`). */
  readonly loss: number
  /** Of numbers: the mean of |answer − target|, and R², the share of their variance that is explained. */
  readonly meanError?: number
  readonly explained?: number
  /** Of pixels: the mean over classes of intersection ÷ union of what is and what is said to be of the class. */
  readonly meanIoU?: number
  /** The answer for each sample (pixel). */
  readonly predictions: Int32Array
}

export type EvaluateOptions = {
  readonly runtime: Runtime
  /** Samples run at once; 100. */
  readonly batch?: number
  /** How many samples to use, from the first on; all. */
  readonly samples?: number
  /** The value holding one score per class; what stands before the model's last Softmax, or its first output. */
  readonly output?: string
  /**
   * What samples that have numbers to meet are judged by, or `output:NAME` for a network that makes its own loss; the one
   * that the model's file states, else mse.
   */
  readonly loss?: string
  readonly threads?: number
  /** Ends it after the batch under way, with the signal's reason. */
  readonly signal?: AbortSignal
}

/** The model with other weights in place of its initializers of those names. */
export const withWeights = (model: Model, weights: ReadonlyMap<string, Float32Array>): Model => {
  const copy = copyModel(model)
  for (const [name, values] of weights) {
    const old = model.graph.initializers.get(name)
    if (!old) throw new EspalierError('the model has no such initializer', { place: { initializer: name } })
    copy.graph.initializers.set(name, float32(old.dims, values.slice()))
  }
  return copy
}

/** Runs a network over samples: by its scores where they have classes, by its answers to numbers, or by its own loss. */
export const evaluate = async (model: Model, data: Dataset, options: EvaluateOptions): Promise<Evaluation> => {
  const loss = options.loss ?? statedSampling(model).loss ?? 'mse'
  const own = ownValue(loss)
  const settings = options.threads === undefined ? {} : { threads: options.threads }
  if (own !== undefined) {
    if (!model.graph.nodes.some(({ outputs }) => outputs.includes(own)))
      throw new EspalierError(`the model makes no value '${own}' to be judged by`, {
        remedy: 'judge graphs that make their own loss beside others that make the same',
      })
    const session = await options.runtime.open(withOutput(model, own), settings)
    return evaluateOwn(session, model, data, { ...options, value: own }).finally(() => session.close())
  }
  const scored = !data.targets || readsScores(loss)
  const output = options.output ?? (scored ? scoresOf(model) : model.graph.outputs[0]?.name)
  const told = output === undefined ? model : withOutput(model, output)
  const session = await options.runtime.open(told, settings)
  try {
    const all = { input: inputOf(model), ...options, loss, ...(output && { output }) }
    return await (data.targets ? evaluateNumbers(session, data, all) : evaluateSession(session, data, all))
  } finally {
    await session.close()
  }
}

/** The value that a loss named `output:NAME` is. */
const ownValue = (loss: string) => (loss.startsWith('output:') ? loss.slice('output:'.length) : undefined)

/** Runs an open session over samples and counts what it gets right; `output` is its first unless said. */
export const evaluateSession = async (
  session: Session,
  data: Dataset,
  options: Omit<EvaluateOptions, 'runtime'> & { readonly input: string },
): Promise<Evaluation> => {
  const { batch = 100, input, output = session.outputs[0]! } = options
  const samples = Math.min(options.samples ?? data.size, data.size)
  const perSample = sizeOf(data.labelDims ?? [])
  const predictions = new Int32Array(samples * perSample)
  const tally = counting(data)
  for (const indices of batchesInOrder(data, samples, batch)) {
    options.signal?.throwIfAborted()
    const results = await session.run({ [input]: batchOf(data, indices).inputs }, [output])
    const { dims, bytes } = results[output]!
    const scores = float32Of({ type: 'float32', dims, bytes })
    const classes = data.labelDims ? (dims[1] ?? 1) : scores.length / indices.length
    if (scores.length !== indices.length * classes * perSample)
      throw new EspalierError(
        `the scores are of shape [${dims.join(', ')}] and a label of [${(data.labelDims ?? []).join(', ')}]`,
        { place: { value: output }, remedy: 'use labels of the size of the answers (--size)' },
      )
    const row = new Float32Array(classes)
    for (const [i, sample] of indices.entries()) {
      const labels = labelsAt(data, sample)
      for (let at = 0; at < perSample; at++) {
        for (let c = 0; c < classes; c++) row[c] = scores[(i * classes + c) * perSample + at]!
        const label = labels[at]!
        if (label !== data.ignore && label >= Math.max(classes, 2))
          throw new EspalierError(
            `sample ${sample} is of class ${label} and the model tells ${classes} classes apart`,
            { place: { value: output }, remedy: 'use data with the classes the model knows' },
          )
        predictions[sample * perSample + at] = tally.add(row, label)
      }
    }
  }
  return { samples, ...tally.result(), predictions }
}

/** Counts answers that are right, adds up losses and, for pixels, what each class has and is said to have. */
const counting = ({ labelDims, ignore, classes }: Dataset) => {
  let [right, loss, counted] = [0, 0, 0]
  const [both, either] = [new Map<number, number>(), new Map<number, number>()]
  const more = (map: Map<number, number>, key: number) => map.set(key, (map.get(key) ?? 0) + 1)
  return {
    add(row: Float32Array, label: number): number {
      const answer = row.length === 1 ? Number(row[0]! > 0) : indexOfLargest(row)
      if (label === ignore) return answer
      counted++
      loss += row.length === 1 ? logistic(row[0]!, label) : crossEntropy(row, label)
      if (answer === label) right++
      if (!labelDims) return answer
      more(either, label)
      if (answer === label) more(both, label)
      else more(either, answer)
      return answer
    },
    result() {
      const unions = [...either].filter(([label]) => label < classes.length)
      const meanIoU = unions.reduce((sum, [label, union]) => sum + (both.get(label) ?? 0) / union, 0) / unions.length
      return { accuracy: right / counted, loss: loss / counted, ...(labelDims && { meanIoU }) }
    },
  }
}

const indexOfLargest = (row: Float32Array): number => {
  let best = 0
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i
  return best
}

/** log Σ exp z − z[label], the largest taken out of the sum so that it cannot overflow. */
const crossEntropy = (row: Float32Array, label: number): number => {
  const largest = row[indexOfLargest(row)]!
  let sum = 0
  for (const value of row) sum += Math.exp(value - largest)
  return Math.log(sum) + largest - row[label]!
}

/** log(1 + eᶻ) − z·y for a single score z of class 1. */
const logistic = (z: number, label: number): number => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - z * label
