import type { Model } from '../../onnx/index.ts'
import { type Analysis, analyzeModel, type Group, type MemberRole, prunableMacs } from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { type Console, percent } from '../console.ts'
import { sayFrozen } from './show.ts'

/** What a member is to the units, in a word. */
const words: Record<MemberRole, string> = { produces: 'makes', follows: 'carries', consumes: 'feeds' }

/** A group as a tree: its units, and every axis that loses one when a unit goes. */
export const drawGroup = ({ name, size, approximate, members }: Group): string[] => {
  const width = Math.max(...members.map(({ initializer, axis }) => `${initializer}:${axis}`.length))
  const lines = members.map(({ initializer, axis, role, node, operator, perUnit }, i) => {
    const branch = i === members.length - 1 ? '└─' : '├─'
    const times = perUnit > 1 ? `, ${perUnit} indices a unit` : ''
    return `${branch} ${words[role].padEnd(7)}  ${`${initializer}:${axis}`.padEnd(width)}  ${operator} '${node}'${times}`
  })
  const kind = approximate === undefined ? 'exact' : `approximate (${approximate})`
  return [`${name}  ${size} ${size === 1 ? 'unit' : 'units'}, ${kind}`, ...lines]
}

/** The groups of a model, drawn, and what is frozen; the document for `--json`. */
export const sayGroups = async (model: Model, console: Console) => {
  const analysis: Analysis = await analyzeModel(model, { runtime: nodeRuntime })
  const { groups, frozen } = analysis
  console.say()
  for (const group of groups) {
    console.say(drawGroup(group))
    console.say()
  }
  sayFrozen(frozen, (value) => analysis.model.graph.initializers.has(value), console)
  const share = { exact: prunableMacs(analysis), approximate: prunableMacs(analysis, { approximate: true }) }
  console.say()
  console.say(
    `${groups.length} groups of units that live and die together; ${percent(share.exact, 1)} of the MACs can be pruned${
      share.approximate > share.exact ? ` (${percent(share.approximate, 1)} with --approximate)` : ''
    }`,
  )
  return {
    groups: groups.map(({ name, size, approximate, members }) => ({
      name,
      size,
      exact: approximate === undefined,
      ...(approximate !== undefined && { approximate }),
      members: members.map(({ indices: _, ...member }) => member),
    })),
    frozen,
    prunableMacs: share,
  }
}
