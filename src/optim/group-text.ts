import { UsageError } from '../base/index.ts'
import { groupOf, type ParameterGroup } from './groups.ts'
import { optimizerNamed, optimizers } from './presets/index.ts'
import { type Parameter, roles } from './types.ts'

/** How a group is written. */
export const groupUsage = 'NAMES:lr=0.1x,decay=0 with NAMES a pattern such as *.bias or a role such as @vector'

/**
 * A parameter group from text, `NAMES:SETTING,SETTING…`. NAMES are patterns in which `*` stands for any run of characters,
 * or roles as `@conv`, several with commas between; they end at the last colon. Settings: `lr=0.1x` (times the common
 * rate), `lr=1e-4` (a rate of its own), `decay=0` (weight decay), `optimizer=adamw` (the links of another preset).
 * @throws UsageError saying how a group is written, or listing roles, settings or presets.
 */
export const parseGroup = (text: string): ParameterGroup => {
  const colon = text.lastIndexOf(':')
  const names = text.slice(0, Math.max(colon, 0)).split(',').filter(Boolean)
  const settings = text
    .slice(colon + 1)
    .split(',')
    .filter(Boolean)
  if (colon < 1 || names.length === 0 || settings.length === 0)
    throw new UsageError(`'${text}' is no group of parameters`, { remedy: `write ${groupUsage}` })
  const wanted = names.flatMap((name) => (name.startsWith('@') ? [roleNamed(name.slice(1))] : []))
  const patterns = names.filter((name) => !name.startsWith('@'))
  if (wanted.length > 0 && patterns.length > 0)
    throw new UsageError(`'${text}' mixes patterns and roles`, { remedy: 'make two groups of it' })
  return Object.assign(
    wanted.length > 0 ? { role: wanted } : { match: patterns },
    ...settings.map((setting) => settingOf(setting, text)),
  )
}

const roleNamed = (name: string) => {
  const found = roles.find((role) => role === name)
  if (!found) throw new UsageError(`there is no role '${name}'`, { remedy: `known are ${roles.join(', ')}` })
  return found
}

const settingOf = (setting: string, text: string): Omit<ParameterGroup, 'match' | 'role'> => {
  const [name = '', value = ''] = setting.split('=')
  const number = (digits: string): number => {
    const read = digits.trim() === '' ? Number.NaN : Number(digits)
    if (Number.isFinite(read) && read >= 0) return read
    throw new UsageError(`'${setting}' in the group '${text}' is not a number of 0 or more`, {
      remedy: `write ${groupUsage}`,
    })
  }
  switch (name) {
    case 'lr':
      return value.endsWith('x') ? { lrFactor: number(value.slice(0, -1)) } : { lr: number(value) }
    case 'decay':
      return { weightDecay: number(value) }
    case 'optimizer':
      return { links: optimizerNamed(value).links }
    default:
      throw new UsageError(`a group has no setting '${name}'`, {
        remedy: `there are lr=NUMBER, lr=FACTORx, decay=NUMBER, optimizer=${Object.keys(optimizers).slice(0, 3).join('|')}|…`,
      })
  }
}

/**
 * Groups from texts, checked against the parameters they are for.
 * @throws UsageError for a group that holds none of them: a misspelt name, or an earlier group that took them all.
 */
export const parseGroups = (
  texts: readonly string[],
  parameters: readonly Omit<Parameter, 'values'>[],
): ParameterGroup[] => {
  const groups = texts.map(parseGroup)
  const used = new Set(parameters.map((p) => groupOf(groups, p)))
  for (const [i, group] of groups.entries())
    if (!used.has(group))
      throw new UsageError(`the group '${texts[i]}' holds no trainable parameter`, {
        remedy: `a parameter belongs to the first group that matches it; there are ${parameters
          .slice(0, 6)
          .map(({ name, role }) => `${name} (@${role})`)
          .join(', ')}${parameters.length > 6 ? ', …' : ''}`,
      })
  return groups
}
