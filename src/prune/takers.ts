import { floatOf, intOf, intsOf, type Model, type Node, readsOf, stringOf } from '../onnx/index.ts'
import type { Analysis, Group, Member } from './types.ts'
import { axesByGroup } from './width-cost.ts'

/** A layer that reads a group's units and whose bias can take over what is constant of them. */
export type Taker = {
  readonly node: Node
  readonly member: Member
  /** The node that adds the bias, and where. */
  readonly adder: Node
  readonly position: number
}

/** Who can take a group's constants: every layer that reads its units, or why one cannot. */
export const takersOf = (group: Group, pruned: Model, analysis: Analysis, padded: boolean): Taker[] | string => {
  if (group.approximate) return 'removing its units is approximate'
  const { graph } = analysis.model
  const carries = axesByGroup(analysis, [group])
  if (!carries) return 'an axis has more indices for some of its units than for others'
  const takers: Taker[] = []
  for (const node of graph.nodes) {
    const reads = node.inputs.some((name) => name !== '' && !graph.initializers.has(name) && carries(name))
    if (!reads || node.outputs.some((name) => carries(name))) continue
    const taker = takerOf(node, group, pruned, analysis, padded)
    if (typeof taker === 'string') return `${node.opType} '${node.name}': ${taker}`
    takers.push(taker)
  }
  return takers
}

const takerOf = (node: Node, group: Group, pruned: Model, analysis: Analysis, padded: boolean): Taker | string => {
  const { graph } = analysis.model
  const member = group.members.find(({ initializer, role }) => initializer === node.inputs[1] && role === 'consumes')
  const weight = graph.initializers.get(node.inputs[1] ?? '')
  if (!member || weight?.type !== 'float32') return 'it reads units without a weight of its own'
  const named = { Conv: 2, Gemm: 2, MatMul: 1 }[node.opType]
  if (named === undefined || node.domain !== '') return 'its operator takes no constants'
  if (node.opType === 'Conv') {
    if (intOf(node, 'group', 1) !== 1) return 'it is grouped'
    const pads =
      !['NOTSET', 'VALID'].includes(stringOf(node, 'auto_pad', 'NOTSET')) ||
      intsOf(node, 'pads', []).some((n) => n !== 0)
    if (pads && !padded) return 'its padding shows at the border'
  }
  if (
    node.opType === 'Gemm' &&
    (intOf(node, 'transA', 0) !== 0 || floatOf(node, 'alpha', 1) !== 1 || floatOf(node, 'beta', 1) !== 1)
  )
    return 'it scales its product or its bias'
  if (node.opType === 'MatMul' && weight.dims.length !== 2) return 'its weight is no matrix'
  const readers = graph.nodes.filter((reader) => readsOf(reader).includes(node.outputs[0]!))
  const adder = node.opType === 'MatMul' ? readers[0] : node
  const isOutput = graph.outputs.some(({ name }) => name === node.outputs[0])
  if (!adder || (adder !== node && (adder.opType !== 'Add' || readers.length !== 1 || isOutput)))
    return 'it has no bias'
  const position = adder === node ? 2 : adder.inputs.findIndex((name) => name !== node.outputs[0])
  const outputs = weight.dims[member.axis === 0 ? 1 : 0]
  const bias = graph.initializers.get(adder.inputs[position] ?? '')
  if (bias?.type !== 'float32' || bias.dims.length !== 1 || bias.dims[0] !== outputs) return 'it has no bias'
  const name = inPruned(pruned, adder)?.inputs[position] ?? ''
  const shared = pruned.graph.nodes.filter((reader) => readsOf(reader).includes(name)).length !== 1
  return shared ? 'its bias is shared' : { node, member, adder, position }
}

/** The same node in the pruned model, whose values keep their names. */
export const inPruned = ({ graph }: Model, { outputs }: Node): Node | undefined =>
  graph.nodes.find((node) => node.outputs[0] === outputs[0])
