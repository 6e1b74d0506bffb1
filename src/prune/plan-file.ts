import { FormatError } from '../base/index.ts'
import type { Absorbed, Plan, PlanSource, Slices } from './types.ts'

/** A plan as the text of its file: JSON, one line per list of indices. */
export const serializePlan = (plan: Plan): string => {
  const text = JSON.stringify(plan, null, 2)
  return `${text.replace(/\[\s+(-?\d[\d,\s]*?)\s+\]/g, (_, list: string) => `[${list.replace(/\s+/g, '')}]`)}\n`
}

/** Who a plan is for: the file's name and the SHA-256 of its bytes. */
export const sourceOf = async (file: string, bytes: Uint8Array<ArrayBuffer>): Promise<PlanSource> => {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return { file, sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') }
}

/**
 * Reads a plan file.
 *
 * @throws FormatError naming the file and the field that is not what it should be
 */
export const parsePlan = (text: string, file?: string): Plan => {
  const fail = (what: string): never => {
    throw new FormatError(what, {
      ...(file === undefined ? {} : { place: { file } }),
      remedy: 'a plan is the JSON that `espalier prune --plan` writes',
    })
  }
  const read = reader(fail)
  const root = read.object(parseJson(text, fail), 'the plan')
  if (root.format !== 'espalier-plan/1') fail(`format is ${JSON.stringify(root.format)}, not "espalier-plan/1"`)
  const source = read.object(root.source, 'source')
  return {
    format: 'espalier-plan/1',
    source: { file: read.text(source.file, 'source.file'), sha256: read.text(source.sha256, 'source.sha256') },
    criterion: read.text(root.criterion, 'criterion'),
    groups: read.list(root.groups, 'groups').map((value, i) => {
      const at = `groups[${i}]`
      const group = read.object(value, at)
      return {
        name: read.text(group.name, `${at}.name`),
        size: read.index(group.size, `${at}.size`),
        kept: read.index(group.kept, `${at}.kept`),
        exact: read.flag(group.exact, `${at}.exact`),
        members: read.list(group.members, `${at}.members`).map((entry, k) => {
          const member = read.object(entry, `${at}.members[${k}]`)
          return {
            initializer: read.text(member.initializer, `${at}.members[${k}].initializer`),
            axis: read.index(member.axis, `${at}.members[${k}].axis`),
          }
        }),
      }
    }),
    slices: readSlices(root.slices, 'slices', read, fail),
    frozen: read.list(root.frozen, 'frozen').map((value, i) => {
      const entry = read.object(value, `frozen[${i}]`)
      return {
        value: read.text(entry.value, `frozen[${i}].value`),
        axis: read.index(entry.axis, `frozen[${i}].axis`),
        reason: read.text(entry.reason, `frozen[${i}].reason`),
      }
    }),
    copies: read.map(root.copies, 'copies', (shared, name) => read.text(shared, `copies['${name}']`)),
    ...(root.absorbed !== undefined && { absorbed: readAbsorbed(root.absorbed, read, fail) }),
  }
}

type Reader = ReturnType<typeof reader>
type Fail = (what: string) => never

const readSlices = (value: unknown, where: string, read: Reader, fail: Fail): Slices =>
  read.map(value, where, (axes, name) =>
    read.map(axes, `${where}['${name}']`, (kept, axis) => {
      const at = `${where}['${name}']['${axis}']`
      if (!/^\d+$/.test(axis)) fail(`${at}: '${axis}' is not an axis`)
      const indices = read.list(kept, at).map((index) => read.index(index, at))
      if (indices.some((index, i) => i > 0 && index <= indices[i - 1]!)) fail(`${at} must be ascending`)
      if (indices.length === 0) fail(`${at} keeps nothing`)
      return indices
    }),
  )

const readAbsorbed = (value: unknown, read: Reader, fail: Fail): Absorbed => {
  const absorbed = read.object(value, 'absorbed')
  return {
    exact: read.flag(absorbed.exact, 'absorbed.exact'),
    groups: read.list(absorbed.groups, 'absorbed.groups').map((name) => read.text(name, 'absorbed.groups')),
    biases: read.map(absorbed.biases, 'absorbed.biases', (shift, name) => {
      const at = `absorbed.biases['${name}']`
      return read
        .list(shift, at)
        .map((number) => (typeof number === 'number' ? number : fail(`${at} must hold numbers`)))
    }),
    zero: readSlices(absorbed.zero, 'absorbed.zero', read, fail),
  }
}

const parseJson = (text: string, fail: (what: string) => never): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return fail('not JSON')
  }
}

/** Readers of untyped JSON that fail with the field's name. */
const reader = (fail: (what: string) => never) => {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  const object = (value: unknown, at: string) => (isObject(value) ? value : fail(`${at} must be an object`))
  return {
    object,
    text: (value: unknown, at: string) => (typeof value === 'string' ? value : fail(`${at} must be text`)),
    flag: (value: unknown, at: string) => (typeof value === 'boolean' ? value : fail(`${at} must be true or false`)),
    index: (value: unknown, at: string) =>
      typeof value === 'number' && Number.isInteger(value) && value >= 0
        ? value
        : fail(`${at} must be a whole number, at least 0`),
    list: (value: unknown, at: string): unknown[] => (Array.isArray(value) ? value : fail(`${at} must be a list`)),
    map: <T>(value: unknown, at: string, each: (value: unknown, key: string) => T): Record<string, T> =>
      Object.fromEntries(Object.entries(object(value, at)).map(([key, entry]) => [key, each(entry, key)])),
  }
}
