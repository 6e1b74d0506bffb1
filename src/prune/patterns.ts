import { UsageError } from '../base/index.ts'
import type { Analysis, Frozen, Group } from './types.ts'

/**
 * Whether a pattern names something: `*` stands for any characters, `?` for one, and a pattern also covers what lies below
 * it, so that 'conv1' names 'conv1.weight' and 'layer1.0' all of that block.
 */
export const matches = (pattern: string, name: string): boolean => {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`(^|/)${source}($|[./#])`).test(name)
}

/** Whether a pattern names a group: one of the layers that make its units, or their biases and normalizations. */
export const namesGroup = (pattern: string, group: Group, withInputs = false): boolean =>
  matches(pattern, group.name) ||
  group.members.some(
    ({ initializer, node, role }) =>
      (withInputs || role !== 'consumes') && (matches(pattern, initializer) || matches(pattern, node)),
  )

/** The groups a pattern names. @throws UsageError when there are none, with the reason or some names that exist */
export const groupsNamed = (pattern: string, { groups, frozen }: Analysis, withInputs = false): Group[] => {
  const found = groups.filter((group) => namesGroup(pattern, group, withInputs))
  if (found.length > 0) return found
  const stuck = frozen.find(({ value }) => matches(pattern, value))
  throw stuck
    ? frozenError(pattern, stuck)
    : new UsageError(`no layer matches '${pattern}'`, { remedy: someNames(groups) })
}

const frozenError = (pattern: string, { value, axis, reason }: Frozen) =>
  new UsageError(`'${pattern}' cannot be pruned: axis ${axis} of '${value}' is frozen (${reason})`)

const someNames = (groups: readonly Group[]): string =>
  groups.length === 0
    ? 'nothing in this model can be pruned'
    : `there are ${groups
        .slice(0, 8)
        .map((group) => `'${group.name}'`)
        .join(', ')}${groups.length > 8 ? ` and ${groups.length - 8} more` : ''}`
