import { trainForm } from '../autodiff/index.ts'
import { float32, float32Of, random, UnsupportedError } from '../base/index.ts'
import { batches, type Dataset } from '../data/index.ts'
import { copyModel, type Model, upgradeOpset } from '../onnx/index.ts'
import type { Runtime } from '../runtime/index.ts'
import { samplesAndLabels } from './inputs.ts'

export type RecalibrateOptions = {
  readonly runtime: Runtime
  readonly data: Dataset
  /** Samples in a batch; 100. */
  readonly batch?: number
  /** Samples passed over, in an order drawn from `seed` (0); all. */
  readonly samples?: number
  readonly seed?: number
  readonly threads?: number
  /** Ends it after the batch under way, with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Training mode of BatchNormalization came with opset 14. */
const opset = 14

/**
 * The model with the running statistics of every BatchNormalization measured anew: averaged weights (Lookahead's slow ones,
 * schedule-free averages) have seen no activations, and their running statistics are another network's. One pass over the
 * data, every layer normalising by its batch as in training, gives each channel the mean and variance over all samples:
 * μ = Σ nμ_b/N and σ² = Σ n(σ_b² + μ_b²)/N − μ². PyTorch's `update_bn` averages the σ_b² alone.
 * A model without BatchNormalization comes back as it is.
 */
export const recalibrate = async (model: Model, options: RecalibrateOptions): Promise<Model> => {
  const { runtime, data, batch = 100, samples = data.size, seed = 0, threads, signal } = options
  const measuring = upgradeOpset(copyModel(model), opset)
  const { graph } = measuring
  const statistics = statisticsOf(measuring)
  if (statistics.length === 0) return model
  graph.outputs = statistics.flatMap(({ mean, variance }) =>
    [mean, variance].map(({ value }) => ({ name: value, type: 'float32' as const })),
  )

  const feeds = samplesAndLabels(model)
  const sums = new Map(
    statistics.map((s) => [s, emptySums(float32Of(graph.initializers.get(s.mean.initializer)!).length)]),
  )
  const session = await runtime.open(measuring, threads === undefined ? {} : { threads })
  try {
    const feed = batches(data, { batch, shuffle: random(seed) })
    for (let seen = 0; seen < Math.min(samples, data.size); ) {
      signal?.throwIfAborted()
      const made = feed.next()
      const found = await session.run(feeds(made))
      for (const [{ mean, variance }, sum] of sums)
        addBatch(sum, float32Of(found[mean.value]!), float32Of(found[variance.value]!), made.indices.length)
      seen += made.indices.length
    }
  } finally {
    await session.close()
  }

  const result = copyModel(model)
  for (const [{ mean, variance }, { count, first, second }] of sums) {
    const means = first.map((sum) => sum / count)
    put(result, mean.initializer, means)
    put(
      result,
      variance.initializer,
      second.map((sum, c) => Math.max(0, sum / count - means[c]! ** 2)),
    )
  }
  return result
}

/** A running statistic and the value that holds the batch's. */
type Statistic = { readonly initializer: string; readonly value: string }

/** Puts the graph into training form, each BatchNormalization telling its batch's own mean and variance. */
const statisticsOf = ({ graph }: Model): { mean: Statistic; variance: Statistic }[] => {
  const updates = trainForm(graph).map(({ initializer, batch }) => ({ initializer, value: batch }))
  const pairs = updates.flatMap((mean, i) => (i % 2 === 0 ? [{ mean, variance: updates[i + 1]! }] : []))
  for (const { initializer } of updates)
    if (!graph.initializers.has(initializer))
      throw new UnsupportedError('the statistics of a BatchNormalization are computed, not stored', {
        place: { value: initializer },
      })
  return pairs
}

type Sums = { count: number; readonly first: Float64Array; readonly second: Float64Array }

const emptySums = (channels: number): Sums => ({
  count: 0,
  first: new Float64Array(channels),
  second: new Float64Array(channels),
})

const addBatch = (sums: Sums, mean: Float32Array, variance: Float32Array, n: number): void => {
  sums.count += n
  for (let c = 0; c < mean.length; c++) {
    sums.first[c]! += n * mean[c]!
    sums.second[c]! += n * (variance[c]! + mean[c]! ** 2)
  }
}

const put = ({ graph }: Model, name: string, values: Float64Array): void => {
  graph.initializers.set(name, float32(graph.initializers.get(name)!.dims, Float32Array.from(values)))
}
