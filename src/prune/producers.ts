import { complementOf, cutsOf } from './slice.ts'
import type { Analysis, Plan } from './types.ts'

/**
 * The slices that make the units a plan removes: of every weight whose outputs the units are, the indices that go, by axis.
 * With these alone at zero a unit still carries what its bias or normalization adds, the same everywhere, and the weights
 * that read it are as they were.
 */
export const producerSlices = (
  { groups, model }: Analysis,
  { slices }: Plan,
): Map<string, Map<number, readonly number[]>> => {
  const found = new Map<string, Map<number, readonly number[]>>()
  for (const { initializer, axis, role } of groups.flatMap(({ members }) => members)) {
    const kept = role === 'produces' ? cutsOf(slices, initializer).get(axis) : undefined
    if (!kept) continue
    const removed = complementOf(model.graph.initializers.get(initializer)!.dims[axis]!, kept)
    found.set(initializer, (found.get(initializer) ?? new Map()).set(axis, removed))
  }
  return found
}
