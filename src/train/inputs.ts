import { EspalierError, float32, int32, numbersOf, type Tensor, UsageError } from '../base/index.ts'
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
 * What a batch feeds to a graph that makes its own loss: the samples to its first input, and to a second what they are to
 * give: labels as whole numbers or, where it is float32, the numbers to meet, if samples have such.
 * @throws UsageError when there are more, or the second takes something else
 */
export const samplesAndLabels = (model: Model): ((batch: Batch) => Values) => {
  const inputs = fedInputs(model)
  const [first, second, ...more] = inputs
  const given = second && answers[second.type]
  if (!first || more.length > 0 || (second && !given))
    throw new UsageError('a model that makes its own loss takes samples and their labels, or numbers to meet', {
      remedy: `its inputs are ${said(inputs)}; the second is int64, int32 or float32`,
    })
  return (batch) => ({ [first.name]: batch.inputs, ...(second && given && { [second.name]: given(batch) }) })
}

/** What samples are to give, as an input of a type takes it. */
const answers: { readonly [T in ValueInfo['type']]?: (batch: Batch) => Tensor } = {
  int64: (batch) => classesOf(batch),
  int32: (batch) => int32(batch.labels.dims, numbersOf(classesOf(batch))),
  float32: ({ labels, target }) => target ?? float32(labels.dims, numbersOf(labels)),
}

const classesOf = ({ labels, target }: Batch): Tensor => {
  if (!target) return labels
  throw new UsageError('the samples have numbers to meet, and the model takes whole numbers', {
    remedy: 'give data with classes, or a model whose second input is float32',
  })
}

const said = (inputs: readonly ValueInfo[]) => inputs.map(({ name, type }) => `${name} (${type})`).join(', ')
