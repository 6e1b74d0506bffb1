import { EspalierError, UsageError } from '../base/index.ts'
import type { Batch } from '../data/index.ts'
import type { Model, ValueInfo } from '../onnx/index.ts'
import { fedInputs } from '../prune/index.ts'
import type { Values } from '../runtime/index.ts'

/** The graph's one input that is not an initializer. @throws EspalierError when there are more. */
export const inputOf = (model: Model): string => {
  const inputs = fedInputs(model)
  const [input, ...more] = inputs
  if (!input || more.length > 0)
    throw new EspalierError(`the model has ${inputs.length} inputs, and samples have one`, {
      ...(input && {
        remedy: `it takes ${said(inputs)}; a graph that makes its own loss of samples and labels trains with --loss output:NAME`,
      }),
    })
  return input.name
}

/** The input that takes the samples: the first. */
export const samplesInputOf = (model: Model): string => fedInputs(model)[0]?.name ?? inputOf(model)

/** Whether a graph takes labels beside its samples, to make its own loss of them. */
export const takesLabels = (model: Model): boolean => fedInputs(model).length > 1

/**
 * What a batch feeds to a graph that makes its own loss: the samples to its first input, and the labels to a second.
 * @throws UsageError when there are more, or the second is not int64
 */
export const samplesAndLabels = (model: Model): ((batch: Batch) => Values) => {
  const inputs = fedInputs(model)
  const [first, second, ...more] = inputs
  if (!first || more.length > 0 || (second && second.type !== 'int64'))
    throw new UsageError('a model that makes its own loss takes samples and, as int64, their labels', {
      remedy: `its inputs are ${said(inputs)}`,
    })
  return ({ inputs: samples, labels }) => ({ [first.name]: samples, ...(second && { [second.name]: labels }) })
}

const said = (inputs: readonly ValueInfo[]) => inputs.map(({ name, type }) => `${name} (${type})`).join(', ')
