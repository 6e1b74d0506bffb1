import type { Link, Parameter, Role } from './types.ts'

/** Parameters that are treated alike. */
export type ParameterGroup = {
  /** Names it holds, with `*` for any run of characters, or a predicate. All names when absent. */
  match?: string | readonly string[] | ((p: Omit<Parameter, 'values'>) => boolean)
  /** Roles it holds; all when absent. */
  role?: Role | readonly Role[]
  /** Its own base rate; or `lrFactor` times the common one. */
  lr?: number
  lrFactor?: number
  /** Its own weight decay, in place of that of the chain's decaying links. */
  weightDecay?: number
  /** Its own links, in place of the chain's. */
  links?: readonly Link[]
}

/** The first group a parameter belongs to. */
export const groupOf = <G extends Pick<ParameterGroup, 'match' | 'role'>>(
  groups: readonly G[],
  p: Omit<Parameter, 'values'>,
): G | undefined =>
  groups.find(({ match, role }) => matchesName(match, p) && (role === undefined || [role].flat().includes(p.role)))

const matchesName = (match: ParameterGroup['match'], p: Omit<Parameter, 'values'>): boolean => {
  if (match === undefined) return true
  if (typeof match === 'function') return match(p)
  return [match].flat().some((pattern) => matchesPattern(pattern, p.name))
}

/** Whether a name fits a pattern in which `*` stands for any run of characters. */
export const matchesPattern = (pattern: string, name: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 's').test(name)

/** A link that sees only the parameters of a kind. */
export const only = (kind: (p: Parameter) => boolean, link: Link): Link => ({
  ...link,
  applies: (p) => kind(p) && (link.applies?.(p) ?? true),
})
