import { float32, float32Of, UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import type { OptimizerState } from '../optim/index.ts'
import { type Analysis, type Plan, producerSlices, zeroSlices } from '../prune/index.ts'
import { type TrainOptions, type TrainState, train } from './trainer.ts'

/** A model that was trained, and what its optimizer remembers. */
export type Trained = { readonly model: Model; readonly optimizer?: OptimizerState }

export type SoftOptions = Omit<TrainOptions, 'resume' | 'save' | 'checkpointEvery'> & {
  readonly analysis: Analysis
  /** Which units would go of the model as it is now. */
  readonly choose: (model: Model) => Plan
  /** Told after every epoch. */
  readonly onEpoch?: (epoch: number, plan: Plan) => void
}

/** Slots of optimizers that hold weights rather than what is known of gradients: they would bring zeroed units back. */
const weightSlots = new Set(['slow', 'z'])

/**
 * Soft filter pruning (He et al. 2018, "Soft Filter Pruning for Accelerating Deep Convolutional Neural Networks", §3.2): after
 * every epoch the units that would go are set to zero, and the next epoch may bring them back; nothing is removed. Only the
 * weights that make the units are zeroed, not those that read them: with both at zero no gradient would reach either, and no
 * unit could recover. (Behind a ReLU a unit still stays at zero where its bias is below 0.)
 *
 * @returns the model as trained; what `choose` says of it is what to cut
 */
export const softTrain = async (model: Model, options: SoftOptions): Promise<Trained> => {
  const { analysis, choose, onEpoch, epochs, ...training } = options
  if (!(Number.isInteger(epochs) && epochs >= 1))
    throw new UsageError(`${epochs} epochs of soft pruning make no sense`, {
      remedy: 'give a whole number of 1 or more',
    })
  let resume: TrainState | undefined
  let result: Trained = { model }
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const { model: trained, state } = await train(model, { ...training, epochs: epoch, ...(resume && { resume }) })
    const plan = choose(trained)
    onEpoch?.(epoch, plan)
    resume = withZeros(state, model, producerSlices(analysis, plan))
    result = { model: trained, optimizer: resume.optimizer }
  }
  return result
}

const withZeros = (state: TrainState, { graph }: Model, slices: ReturnType<typeof producerSlices>): TrainState => {
  const weights = new Map(state.weights)
  const tensors = new Map(state.optimizer.tensors)
  for (const [name, removed] of slices) {
    const values = weights.get(name)
    if (!values) continue
    const dims = graph.initializers.get(name)!.dims
    let zeroed = float32(dims, values)
    for (const [axis, indices] of removed) zeroed = zeroSlices(zeroed, axis, indices)
    weights.set(name, float32Of(zeroed))
    for (const [key, tensor] of tensors) {
      const [, slot = '', ...parameter] = key.split(':')
      if (!weightSlots.has(slot) || parameter.join(':') !== name) continue
      let kept = tensor
      for (const [axis, indices] of removed) kept = zeroSlices(kept, axis, indices)
      tensors.set(key, kept)
    }
  }
  return { ...state, weights, optimizer: { ...state.optimizer, tensors } }
}
