import { EspalierError, float32Of, type Tensor } from '../base/index.ts'
import { batchesInOrder, batchOf, type Dataset } from '../data/index.ts'
import type { Model } from '../onnx/index.ts'
import type { Session } from '../runtime/index.ts'
import type { Evaluation } from './evaluate.ts'
import { samplesAndLabels, takesLabels } from './inputs.ts'

/**
 * Runs a network that makes its own loss, the value `value`, over samples: its mean over them, each batch weighing as many
 * as it has. Where the network is fed the labels and its first output holds a score for each class, [n, classes], the
 * share of samples whose largest is theirs too.
 */
export const evaluateOwn = async (
  session: Session,
  model: Model,
  data: Dataset,
  options: {
    readonly batch?: number
    readonly samples?: number
    readonly value: string
    readonly signal?: AbortSignal
  },
): Promise<Evaluation> => {
  const { batch = 100, value } = options
  const samples = Math.min(options.samples ?? data.size, data.size)
  const feeds = samplesAndLabels(model)
  const scores = model.graph.outputs[0]?.name ?? value
  const predictions = new Int32Array(samples)
  let [loss, right, counted] = [0, 0, 0]
  let told = takesLabels(model) && !data.targets && scores !== value
  for (const indices of batchesInOrder(data, samples, batch)) {
    options.signal?.throwIfAborted()
    const made = batchOf(data, indices)
    const found = await session.run(feeds(made), told ? [value, scores] : [value])
    loss += indices.length * numberOf(value, found[value]!)
    const answers = found[scores]
    told &&= answers?.dims.length === 2 && answers.dims[0] === indices.length && answers.dims[1]! >= data.classes.length
    if (!told || !answers) continue
    const [rows, classes] = [float32Of(answers), answers.dims[1]!]
    for (const [i, sample] of indices.entries()) {
      const row = rows.subarray(i * classes, (i + 1) * classes)
      predictions[sample] = row.indexOf(Math.max(...row))
      if (data.labels[sample] === data.ignore) continue
      counted++
      if (predictions[sample] === data.labels[sample]) right++
    }
  }
  return {
    samples,
    accuracy: told ? right / counted : Number.NaN,
    loss: loss / samples,
    predictions: told ? predictions : new Int32Array(0),
  }
}

const numberOf = (value: string, tensor: Tensor): number => {
  const numbers = tensor.type === 'float32' ? float32Of(tensor) : []
  if (numbers.length === 1) return numbers[0]!
  throw new EspalierError(
    `it is ${tensor.type} of shape [${tensor.dims.join(', ')}] and a loss is one float32 number`,
    {
      place: { value },
      remedy: 'name a value that is a single number',
    },
  )
}
