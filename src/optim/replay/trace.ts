import { FormatError, float32Of } from '../../base/index.ts'
import type { Safetensors } from '../../formats/index.ts'
import type { Parameter, Role } from '../types.ts'

/** A recorded run of somebody's optimizer: gradients fed and weights reached, step by step. */
export type Trace = {
  readonly source: string
  readonly options: Readonly<Record<string, unknown>>
  readonly parameters: readonly Parameter[]
  readonly steps: readonly {
    readonly gradients: Map<string, Float32Array>
    readonly weights: Map<string, Float32Array>
  }[]
  /** Lookahead's slow weights, or schedule-free averages, after the last step. */
  readonly evaluation: Map<string, Float32Array>
}

/**
 * Reads a trace: tensors `init:P`, then `grad:T:P` and `param:T:P` for T = 1, 2, …, and at the end `slow:P` or `eval:P`;
 * metadata `source`, `options` (JSON) and `steps`.
 */
export const decodeTrace = ({ tensors, metadata }: Safetensors, file = 'trace'): Trace => {
  const fail = (what: string): never => {
    throw new FormatError(`not an optimizer trace: ${what}`, { place: { file } })
  }
  const source = metadata.source ?? fail('it names no source')
  const options: unknown = JSON.parse(metadata.options ?? '{}', (_, value) => value)
  if (!isRecord(options)) return fail('its options are not an object')

  const values = (name: string) => float32Of(tensors.get(name) ?? fail(`tensor '${name}' is missing`)).slice()
  const all = (prefix: string) =>
    [...tensors.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length))
  const take = (prefix: string) => new Map(all(prefix).map((p) => [p, values(prefix + p)]))

  const parameters = all('init:').map((name) => {
    const dims = tensors.get(`init:${name}`)?.dims ?? []
    return { name, dims, role: roleOf(name, dims), values: values(`init:${name}`) }
  })
  const count = Number(metadata.steps)
  if (parameters.length === 0 || !Number.isInteger(count)) fail('it has no parameters or no number of steps')
  return {
    source,
    options,
    parameters,
    steps: Array.from({ length: count }, (_, t) => ({
      gradients: take(`grad:${t + 1}:`),
      weights: take(`param:${t + 1}:`),
    })),
    evaluation: new Map([...take('slow:'), ...take('eval:')]),
  }
}

/** A PyTorch parameter's role as far as its shape tells. */
const roleOf = (name: string, dims: readonly number[]): Role =>
  dims.length < 2 ? 'vector' : /embed/i.test(name) ? 'embedding' : dims.length === 2 ? 'dense' : 'conv'

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
