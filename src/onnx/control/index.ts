import { own } from '../../base/index.ts'
import type { Node } from '../types.ts'
import { control } from './flow.ts'
import { followSequences, sequenceOperators } from './sequences.ts'
import type { Known } from './types.ts'

export { aliases, renamed } from './instantiate.ts'
export { sequenceOperators } from './sequences.ts'
export { type Known, knownOf } from './types.ts'

/** Whether a node is control flow, or makes or reads a list of tensors or an optional. */
export const isControl = ({ domain, opType }: Node): boolean =>
  domain === '' && (Object.hasOwn(control, opType) || sequenceOperators.has(opType))

/**
 * Replaces control flow whose course is known by the nodes it comes to: an If whose condition never changes by the branch
 * taken, a Loop of a known number of rounds and a Scan over a known size by its body as often, lists of tensors (sequences)
 * and optionals by what they hold. Exporters write `torch.split`, `unbind` and `squeeze` so. In place; the graph computes
 * what it did.
 *
 * @param may which If, Loop and Scan nodes may be replaced; all unless said
 * @returns whether anything was replaced: constants and shapes found anew may settle more
 */
export const unrollControl = (known: Known, may: (node: Node) => boolean = () => true): boolean => {
  const { graph } = known
  let changed = false
  graph.nodes = graph.nodes.flatMap((node) => {
    const rewrite = node.domain === '' && may(node) ? own(control, node.opType) : undefined
    const nodes = rewrite?.(node, known)
    changed ||= nodes !== undefined
    return nodes ?? [node]
  })
  return followSequences(known) || changed
}
