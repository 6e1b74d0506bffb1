import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { cpus, homedir } from 'node:os'
import { join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import type { Model } from '../onnx/index.ts'
import type { EngineBatch } from './engine.ts'
import { type Formulation, type TuneOptions, tune } from './tune.ts'

// What tuning found is remembered for a graph, a batch and a machine, so that it is measured once and runs repeat.

/** Where it is remembered unless said: in the user's cache folder (XDG Base Directory Specification). */
export const tuningFile = (): string =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'espalier', 'tuning.json')

/** The fastest formulation, from memory where this graph was tuned on this machine before. */
export const remembered = async (
  model: Model,
  options: TuneOptions & { readonly file?: string },
  example: EngineBatch,
): Promise<Formulation> => {
  const { file = tuningFile(), ...rest } = options
  const known = await readKnown(file)
  const key = keyOf(model, options, example)
  const found = known[key]
  if (found) return found
  const [fastest] = await tune(model, rest, example)
  const formulation = fastest?.formulation ?? { split: false }
  await writeFileAtomic(file, `${JSON.stringify({ ...known, [key]: formulation }, undefined, 2)}\n`)
  return formulation
}

/** Shapes and operators decide about time, values of weights do not. */
const keyOf = ({ graph, opsets }: Model, options: TuneOptions, { inputs }: EngineBatch): string => {
  const nodes = graph.nodes.map(({ opType, inputs: from, outputs, attributes }) => [
    opType,
    from,
    outputs,
    [...attributes].map(([name, value]) => [name, String(JSON.stringify(value, plain))]),
  ])
  const weights = [...graph.initializers].map(([name, { type, dims }]) => [name, type, dims])
  const batch = Object.entries(inputs).map(([name, { type, dims }]) => [name, type, dims])
  const { loss, mode, trainable, recompute, shards } = options
  const machine = [cpus()[0]?.model, cpus().length, process.arch, process.version]
  const text = [[...opsets], nodes, weights, batch, loss?.name, mode, trainable, recompute, shards, machine]
  return createHash('sha256').update(JSON.stringify(text, plain)).digest('hex')
}

const plain = (_: string, value: unknown) =>
  typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? value.byteLength : value

/** A file that is not there, or not ours to read, is no memory. */
const readKnown = async (file: string): Promise<Record<string, Formulation>> => {
  try {
    const read: unknown = JSON.parse(await readFile(file, 'utf8'))
    return typeof read === 'object' && read !== null
      ? Object.fromEntries(
          Object.entries(read).filter((entry): entry is [string, Formulation] => isFormulation(entry[1])),
        )
      : {}
  } catch {
    return {}
  }
}

const isFormulation = (value: unknown): value is Formulation =>
  typeof value === 'object' &&
  value !== null &&
  'split' in value &&
  typeof value.split === 'boolean' &&
  (!('minimalFiltering' in value) || typeof value.minimalFiltering === 'number')
