import { bool, float32, int64, type Tensor } from '../base/index.ts'
import {
  copyModel,
  isControl,
  knownOf,
  liftConstants,
  type Model,
  type Node,
  unrollControl,
  type ValueInfo,
} from '../onnx/index.ts'
import { allFixed } from '../operators/sizes/index.ts'
import { constants, inferredInfos, type Runtime } from '../runtime/index.ts'
import { followSizes, type Sizes } from './follow-sizes.ts'

/**
 * The model with every If, Loop and Scan whose course is the same in every run replaced by the nodes it comes to, and lists
 * of tensors by their elements. A condition computed from sizes (`squeeze` asks whether an axis is 1) decides where those
 * sizes follow from the file alone; one that depends on what the model is fed stays. The model itself where it has no
 * control flow, else a copy.
 *
 * @param may which nodes may be replaced
 */
export const inlineControl = async (
  original: Model,
  runtime: Runtime,
  may: (node: Node) => boolean = () => true,
): Promise<Model> => {
  if (!original.graph.nodes.some(isControl)) return original
  const model = copyModel(original)
  liftConstants(model.graph)
  // What a caller may override by feeding it is no constant.
  const fed = new Set(model.graph.defaults)
  for (;;) {
    const found = await constants(runtime, model)
    const known = (name: string) =>
      fed.has(name) ? undefined : (model.graph.initializers.get(name) ?? found.get(name))
    if (unrollControl(knownOf(model, { types: new Map(), constant: known }), may)) continue
    if (!model.graph.nodes.some(isControl)) return model
    const sizes = followSizes(model, { constant: known, inferred: await infosOf(model, runtime) })
    const constant = (name: string) => known(name) ?? tensorOf(sizes, name)
    // No shapes are given, so nothing is unrolled by a size.
    if (!unrollControl(knownOf(model, { types: new Map(), constant }), may)) return model
  }
}

const infosOf = async (model: Model, runtime: Runtime): Promise<ReadonlyMap<string, ValueInfo>> =>
  inferredInfos(
    runtime,
    model,
    model.graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== '')),
  )

/** A value whose numbers are the same in every run. */
const tensorOf = (sizes: Sizes, name: string): Tensor | undefined => {
  const [elements, dims, type] = [sizes.elements(name), sizes.dims(name), sizes.type(name)]
  if (!allFixed(elements) || !allFixed(dims) || !elements.every((n) => Number.isSafeInteger(n))) return undefined
  if (type === 'bool')
    return bool(
      dims,
      elements.map((n) => n !== 0),
    )
  return type === 'int64' ? int64(dims, elements) : type === 'float32' ? float32(dims, elements) : undefined
}
