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
    /** ‖g − ref‖ / ‖ref‖ over all elements. */
    readonly error: number
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
    loss: loss.name,
    trainable: [...references.keys()],
    mode: recorded.metadata.mode === 'train' ? 'train' : 'eval',
  })
  const target = recorded.tensors.get(loss.target)
  if (!target) throw new UsageError(`the case has no tensor '${loss.target}' for its ${loss.name} loss`)
  const state = training.model.graph.inputs.flatMap(({ name }) => {
    const tensor = model.graph.initializers.get(name)
    return tensor ? [[name, tensor] as const] : []
  })
  const session = await runtime.open(training.model)
  try {
    const values = await session.run({
      ...Object.fromEntries(inputs),
      ...Object.fromEntries(state),
      [training.target]: target,
    })
    const parameters = [...references].map(([name, reference]) => {
      const gradient = values[training.gradients.get(name) ?? '']
      if (!gradient)
        throw new EspalierError('the loss does not depend on it, and the case has a gradient for it', {
          place: { initializer: name },
        })
      return { name, error: relativeError(float32Of(gradient), float32Of(reference)), gradient }
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

/** ‖a − b‖ / ‖b‖; where b is zero, ‖a‖. NaN when the lengths differ. */
export const relativeError = (a: Float32Array, b: Float32Array): number => {
  if (a.length !== b.length) return Number.NaN
  let [difference, norm] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2
    norm += b[i]! ** 2
  }
  return Math.sqrt(difference) / (Math.sqrt(norm) || 1)
}
