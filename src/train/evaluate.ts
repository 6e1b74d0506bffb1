import { EspalierError, float32, float32Of } from '../base/index.ts'
import { batchOf, type Dataset } from '../data/index.ts'
import { copyModel, type Model } from '../onnx/index.ts'
import type { Runtime, Session } from '../runtime/index.ts'

/** How a classifier did on labelled samples. */
export type Evaluation = {
  readonly samples: number
  /** Share of samples whose largest output is their class, 0 to 1. */
  readonly accuracy: number
  /** Mean softmax cross-entropy. */
  readonly loss: number
  /** The answer for each sample. */
  readonly predictions: Int32Array
}

export type EvaluateOptions = {
  readonly runtime: Runtime
  /** Samples run at once; 100. */
  readonly batch?: number
  /** How many samples to use, from the first on; all. */
  readonly samples?: number
  /** The value holding one score per class; the graph's first output. */
  readonly output?: string
  readonly threads?: number
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

/** The graph's one input that is not an initializer. @throws EspalierError when there are more. */
export const inputOf = ({ graph }: Model): string => {
  const [input, ...more] = graph.inputs.filter(({ name }) => !graph.initializers.has(name))
  if (!input || more.length > 0)
    throw new EspalierError(`the model has ${more.length + (input ? 1 : 0)} inputs, and samples have one`)
  return input.name
}

/** Runs a classifier over labelled samples. */
export const evaluate = async (model: Model, data: Dataset, options: EvaluateOptions): Promise<Evaluation> => {
  const session = await options.runtime.open(model, options.threads === undefined ? {} : { threads: options.threads })
  try {
    return await evaluateSession(session, data, { input: inputOf(model), ...options })
  } finally {
    await session.close()
  }
}

export const evaluateSession = async (
  session: Session,
  data: Dataset,
  options: Omit<EvaluateOptions, 'runtime'> & { readonly input: string },
): Promise<Evaluation> => {
  const { batch = 100, input, output = session.outputs[0]! } = options
  const samples = Math.min(options.samples ?? data.size, data.size)
  const predictions = new Int32Array(samples)
  let [right, loss] = [0, 0]
  for (let start = 0; start < samples; start += batch) {
    const indices = Array.from({ length: Math.min(batch, samples - start) }, (_, i) => start + i)
    const { inputs } = batchOf(data, indices)
    const results = await session.run({ [input]: inputs }, [output])
    const scores = float32Of(results[output]!)
    const classes = scores.length / indices.length
    for (const [i, sample] of indices.entries()) {
      const row = scores.subarray(i * classes, (i + 1) * classes)
      const label = data.labels[sample]!
      if (label >= classes)
        throw new EspalierError(`sample ${sample} is of class ${label} and the model tells ${classes} classes apart`, {
          place: { value: output },
          remedy: 'use data with the classes the model knows',
        })
      const answer = indexOfLargest(row)
      predictions[sample] = answer
      if (answer === label) right++
      loss += crossEntropy(row, label)
    }
  }
  return { samples, accuracy: right / samples, loss: loss / samples, predictions }
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
