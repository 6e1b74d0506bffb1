import { float32, float32Of, UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import type { OptimizerState } from '../optim/index.ts'
import { type Analysis, type Plan, producerSlices, zeroSlices } from '../prune/index.ts'
import { updatesPerEpoch } from './feeds.ts'
import { type TrainOptions, type TrainResult, train } from './trainer.ts'

/** A model that was trained, and what its optimizer remembers. */
export type Trained = { readonly model: Model; readonly optimizer?: OptimizerState }

export type SoftOptions = TrainOptions & {
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
 * @returns the model as trained, whose units that `choose` names are to be cut, unless the signal ended the run before
 */
export const softTrain = async (
  model: Model,
  options: SoftOptions,
): Promise<Trained & Pick<TrainResult, 'stopped' | 'state'>> => {
  const { analysis, choose, onEpoch, epochs, resume: from, ...training } = options
  if (!(Number.isInteger(epochs) && epochs >= 1))
    throw new UsageError(`${epochs} epochs of soft pruning make no sense`, {
      remedy: 'give a whole number of 1 or more',
    })
  const { data, batch = 50, accumulate = 1 } = training
  let resume = from
  // A state at an epoch's end is one before its units are zeroed: the epoch is begun again, and has no step left.
  for (let epoch = Math.max(1, Math.ceil((from?.step ?? 0) / updatesPerEpoch(data, batch, accumulate))); ; epoch++) {
    const found = await train(model, { ...training, epochs: epoch, ...(resume && { resume }) })
    const { model: trained, state, stopped } = found
    if (stopped) return { model: trained, optimizer: state.optimizer, state, stopped }
    const plan = choose(trained)
    onEpoch?.(epoch, plan)
    resume = withZeros(state, model, producerSlices(analysis, plan))
    if (epoch >= epochs) return { model: trained, optimizer: resume.optimizer, state, stopped }
  }
}

const withZeros = (
  state: TrainResult['state'],
  { graph }: Model,
  slices: ReturnType<typeof producerSlices>,
): TrainResult['state'] => {
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
