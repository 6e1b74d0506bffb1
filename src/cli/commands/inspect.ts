import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { byteLengthOf, EspalierError, sizeOf, type TensorType, UsageError } from '../../base/index.ts'
import { kindOfFile, readNpy, readNpz, readSafetensors } from '../../formats/file.ts'
import { readCheckpoint } from '../../formats/node.ts'
import { readModel } from '../../onnx/file.ts'
import { opsetOf, type ValueInfo } from '../../onnx/index.ts'
import { storedCost } from '../../prune/index.ts'
import { command } from '../command.ts'
import { byteText, type Console, grouped, table } from '../console.ts'
import { type Findings, startEngine } from '../inspect/engine.ts'
import { type Limits, limitOptions, limitsFrom } from '../limits/limits.ts'

export const inspect = command({
  name: 'inspect',
  summary: 'what a file holds: ONNX, TensorFlow checkpoint, safetensors, npy, npz',
  usage: 'FILE',
  positionals: ['FILE'],
  options: {
    groups: { kind: 'flag', help: 'draws the groups of an ONNX file: what lives and dies together when it is pruned' },
    ...limitOptions,
    'time-limit': {
      ...limitOptions['time-limit'],
      default: 30,
      help: 'seconds for what takes the engine; the rest is shown in any case',
    },
    'memory-limit': {
      ...limitOptions['memory-limit'],
      help: "memory for what takes the engine, such as 4GB (default: 1 GB beside six times the file's weights)",
    },
  },
  async run({ positionals: [path = ''], values, console }) {
    const file = await checkpointIn(path)
    const kind = await kindOfFile(file)
    // A damaged model is none to the eye, and reading it says what is wrong.
    if (kind === 'onnx' || (kind === undefined && file.endsWith('.onnx')))
      return inspectModel(file, values.groups, limitsFrom(values), console)
    if (values.groups) throw new UsageError(`'${file}' has no groups`, { remedy: '--groups goes with an ONNX file' })
    const variables = await variablesOf(file, kind)
    console.say(`${file}: ${kind}, ${variables.size} variables`)
    console.say()
    return { file, kind, ...sayVariables(variables, console) }
  },
})

/** A folder stands for the one TensorFlow checkpoint in it. */
const checkpointIn = async (path: string): Promise<string> => {
  const names = await readdir(path).catch(() => undefined)
  if (!names) return path
  const found = names.filter((name) => name.endsWith('.index'))
  if (found.length === 1) return join(path, found[0]!.slice(0, -'.index'.length))
  throw new UsageError(`'${path}' is a folder with ${found.length} TensorFlow checkpoints`, {
    remedy: found.length > 1 ? `name one, such as ${join(path, found[0]!)}` : 'name a file',
  })
}

const variablesOf = async (file: string, kind: string | undefined): Promise<ReadonlyMap<string, TensorType>> => {
  if (kind === 'tensorflow-checkpoint') return readCheckpoint(file)
  if (kind === 'safetensors') return (await readSafetensors(file)).tensors
  if (kind === 'npz') return readNpz(file)
  if (kind === 'npy') return new Map([['array', await readNpy(file)]])
  throw new UsageError(`'${file}' is of no kind that is known`, {
    remedy: 'give an ONNX file, a TensorFlow checkpoint, a safetensors, npz or npy file',
  })
}

/** Each variable with its shape and type. */
const sayVariables = (variables: ReadonlyMap<string, TensorType>, console: Console) => {
  const rows = [...variables].sort(([a], [b]) => (a < b ? -1 : 1))
  console.say(
    table(
      ['variable', 'shape', 'type', 'bytes'],
      rows.map(([name, { type, dims }]) => [name, `[${dims.join(', ')}]`, type, grouped(byteLengthOf({ type, dims }))]),
    ),
  )
  const parameters = rows.reduce((sum, [, { dims }]) => sum + sizeOf(dims), 0)
  console.say()
  console.say(`${grouped(parameters)} numbers`)
  return {
    parameters,
    variables: Object.fromEntries(rows.map(([name, { type, dims }]) => [name, { type, shape: dims }])),
  }
}

const inspectModel = async (file: string, groups: boolean, limits: Limits, console: Console) => {
  const engine = startEngine(file, groups)
  const model = await readModel(file).catch((error: unknown) => {
    engine.stop()
    throw error
  })
  const { graph } = model
  const weights = [...graph.initializers.values()].reduce((sum, { bytes }) => sum + bytes.byteLength, 0)
  const finding = engine.within({ ...limits, memory: limits.memory ?? 1e9 + 6 * weights })
  const operators = new Map<string, number>()
  for (const { opType, domain } of graph.nodes) {
    const name = domain ? `${domain}.${opType}` : opType
    operators.set(name, (operators.get(name) ?? 0) + 1)
  }
  const values = (infos: readonly ValueInfo[]) =>
    infos.map(({ name, type, dims }) => ({ name, type, shape: dims ?? null }))
  const inputs = values(graph.inputs.filter(({ name }) => !graph.initializers.has(name)))
  const outputs = values(graph.outputs)
  const shapeText = (shape: readonly unknown[] | null) => `[${(shape ?? ['?']).map((dim) => dim ?? '?').join(', ')}]`

  console.say(
    `${file}: ONNX, opset ${opsetOf(model)}, IR ${model.irVersion}${model.producer && `, by ${model.producer}`}`,
  )
  console.say()
  for (const { name, type, shape } of inputs) console.say(`input   ${name}  ${type} ${shapeText(shape)}`)
  for (const { name, type, shape } of outputs) console.say(`output  ${name}  ${type} ${shapeText(shape)}`)
  console.say()
  const counts = [...operators].sort(([, a], [, b]) => b - a)
  console.say(`${graph.nodes.length} nodes: ${counts.map(([name, n]) => `${n} ${name}`).join(', ')}`)
  console.say()
  const { variables } = sayVariables(graph.initializers, console)
  const { parameters, bytes } = storedCost(model)
  const found = await finding
  const { macs, known, unknown, uncounted } = workOf(found.work)
  const work =
    unknown === undefined
      ? `${grouped(known)} MACs a sample`
      : `${known > 0 ? `at least ${grouped(known)} MACs` : 'MACs unknown'}: ${unknown}`
  console.say(`${grouped(parameters)} parameters, ${byteText(bytes)}, ${work}`)
  if (uncounted.length > 0) console.say(`not counted among the MACs: ${uncounted.join(', ')}`)
  if (groups && typeof found.groups === 'string')
    throw new EspalierError(`no groups: ${found.groups}`, { place: { file } })
  if (groups && typeof found.groups !== 'string') console.say(found.groups.text.trimEnd())
  return {
    file,
    kind: 'onnx',
    opset: opsetOf(model),
    irVersion: model.irVersion,
    producer: model.producer,
    inputs,
    outputs,
    operators: Object.fromEntries(counts),
    nodes: graph.nodes.length,
    parameters,
    macs,
    bytes,
    ...(unknown !== undefined && { unknown: { macs: unknown } }),
    variables,
    ...(groups && typeof found.groups !== 'string' && found.groups.document),
  }
}

/** What is known of the MACs, and why not all is. */
const workOf = (work: Findings['work']) => {
  if (typeof work === 'string') return { macs: null, known: 0, unknown: work, uncounted: [] }
  const { macs, unsized, uncounted } = work
  const [first] = unsized
  if (first === undefined) return { macs, known: macs, unknown: undefined, uncounted }
  const rest = unsized.length > 1 ? ` and ${unsized.length - 1} more` : ''
  return {
    macs: null,
    known: macs,
    unknown: `the size of '${first}'${rest} is known only when the model runs`,
    uncounted,
  }
}
