import { own } from '../base/index.ts'
import { copyModel, liftConstants, type Model } from '../onnx/index.ts'
import { isFloating } from './importance/weights.ts'
import { cutsOf, shifted, sliceTensor } from './slice.ts'
import type { Plan } from './types.ts'

export type Changed = { readonly initializer: string; readonly reason: string }

/** Initializers of a pruned model that are not what the plan makes of the original's, each with what is wrong. */
export const changedInitializers = (original: Model, pruned: Model, plan: Plan): Changed[] => {
  const lifted = copyModel(original)
  liftConstants(lifted.graph)
  const names = new Set([...lifted.graph.initializers.keys(), ...Object.keys(plan.copies), ...Object.keys(plan.slices)])
  return [...names].flatMap((name) => {
    const before = lifted.graph.initializers.get(own(plan.copies, name) ?? name)
    if (!before) return madeByAnalysis(pruned, plan, name)
    if (!isFloating(before) && !Object.hasOwn(plan.slices, name)) return []
    const after = pruned.graph.initializers.get(name)
    if (!after) return [{ initializer: name, reason: 'it is missing' }]
    const sliced = sliceTensor(before, cutsOf(plan.slices, name))
    const shift = own(plan.absorbed?.biases ?? {}, name)
    const expected = shift ? shifted(sliced, shift) : sliced
    const same =
      expected.type === after.type &&
      expected.dims.join() === after.dims.join() &&
      sameBytes(expected.bytes, after.bytes)
    return same
      ? []
      : [
          {
            initializer: name,
            reason: Object.hasOwn(plan.slices, name) ? 'it is not the slice the plan says' : 'it is not the original',
          },
        ]
  })
}

/**
 * An initializer that the original computes instead (a Range, a body's constant), whose numbers only the outputs can prove. It
 * must be there, cut as the plan cuts it.
 */
const madeByAnalysis = ({ graph }: Model, plan: Plan, name: string): Changed[] => {
  const dims = graph.initializers.get(name)?.dims
  if (!dims) return [{ initializer: name, reason: 'neither the original nor the pruned model has such an initializer' }]
  const fits = [...cutsOf(plan.slices, name)].every(([axis, kept]) => dims[axis] === kept.length)
  return fits ? [] : [{ initializer: name, reason: 'it is not the slice the plan says' }]
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a === b || (a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]))
