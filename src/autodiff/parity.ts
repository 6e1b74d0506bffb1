import { EspalierError, float32Of, numbersOf, type Tensor, UsageError } from '../base/index.ts'
import type { Safetensors } from '../formats/index.ts'
import type { Model } from '../onnx/index.ts'
import type { Runtime } from '../runtime/index.ts'
import { lossNamed } from './loss.ts'
import { trainingGraph } from './training.ts'

/** How far each parameter's gradient is from a recorded one. */
export type GradientParity = {
  readonly loss: number
  readonly recordedLoss: number
  readonly parameters: readonly {
    readonly name: string
    /**
     * ‖g − ref‖ / ‖ref‖ over all elements. A reference that is zero but for its own rounding (a bias before batch
     * normalization, which takes it out again) has no scale: there the largest ‖ref‖ of the case stands below.
     */
    readonly error: number
    /** Whether the reference is zero in that sense: below 1e-12 of the case's largest. */
    readonly vanishes: boolean
    readonly gradient: Tensor
  }[]
}

/**
 * Differentiates a model on a recorded case and compares: `in:<input>`, `labels` or `target`, `loss`,
 * `grad:<initializer>`; metadata `loss` and `mode`.
 * @throws UsageError when the case names an initializer the model does not have.
 */
export const gradientParity = async (
  runtime: Runtime,
  model: Model,
  recorded: Safetensors,
): Promise<GradientParity> => {
  const inputs = withPrefix(recorded, 'in:')
  const references = withPrefix(recorded, 'grad:')
  const loss = lossNamed(recorded.metadata.loss ?? 'cross-entropy')
  const training = await trainingGraph(model, {
    runtime,
    inputs: Object.fromEntries([...inputs].map(([name, { dims }]) => [name, dims])),
    loss,
    trainable: [...references.keys()],
    mode: recorded.metadata.mode === 'train' ? 'train' : 'eval',
  })
  const targets = Object.keys(training.targets).map((name) => {
    const target = recorded.tensors.get(name)
    if (!target) throw new UsageError(`the case has no tensor '${name}' for its ${loss.name} loss`)
    return [name, target]
  })
  const state = training.model.graph.inputs.flatMap(({ name }) => {
    const tensor = model.graph.initializers.get(name)
    // Copies, since ONNX Runtime writes a training BatchNormalization's new statistics over the ones it was fed.
    return tensor ? [[name, { ...tensor, bytes: tensor.bytes.slice() }] as const] : []
  })
  const session = await runtime.open(training.model)
  try {
    const values = await session.run({
      ...Object.fromEntries(inputs),
      ...Object.fromEntries(state),
      ...Object.fromEntries(targets),
    })
    const largest = Math.max(...[...references.values()].map((reference) => normOf(float32Of(reference))))
    const parameters = [...references].map(([name, reference]) => {
      const gradient = values[training.gradients.get(name) ?? '']
      if (!gradient)
        throw new EspalierError('the loss does not depend on it, and the case has a gradient for it', {
          place: { initializer: name },
        })
      const norm = normOf(float32Of(reference))
      const vanishes = norm < 1e-12 * largest
      const error = distance(float32Of(gradient), float32Of(reference)) / (vanishes ? largest : norm)
      return { name, error, vanishes, gradient }
    })
    const recordedLoss = recorded.tensors.get('loss')
    return {
      loss: float32Of(values[training.loss]!)[0]!,
      recordedLoss: recordedLoss ? numbersOf(recordedLoss)[0]! : Number.NaN,
      parameters,
    }
  } finally {
    await session.close()
  }
}

const withPrefix = ({ tensors }: Safetensors, prefix: string): Map<string, Tensor> =>
  new Map([...tensors].flatMap(([name, t]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), t]] : [])))

const normOf = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

/** ‖a − b‖; NaN when the lengths differ. */
const distance = (a: Float32Array, b: Float32Array): number =>
  a.length === b.length ? normOf(a.map((value, i) => value - b[i]!)) : Number.NaN
