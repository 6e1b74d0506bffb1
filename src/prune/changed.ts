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
    if (!before) return [{ initializer: name, reason: 'the original has no such initializer' }]
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

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a === b || (a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]))
