import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { UsageError } from '../base/index.ts'
import { kindOfFile } from '../formats/file.ts'
import { networks } from '../nn/index.ts'
import { readModel } from '../onnx/file.ts'
import type { Model, ValueInfo } from '../onnx/index.ts'
import type { PlanSource } from '../prune/index.ts'
import { stage } from './limits/report.ts'

/** A model as a command names it: an ONNX file, or a network of this project, freshly initialised. */
export type NamedModel = {
  readonly model: Model
  readonly name: string
  /** Absent for a network made by name. */
  readonly source?: PlanSource
}

/** @throws UsageError when it is neither a file nor a network; FormatError when the file is no ONNX model */
export const loadModel = async (name: string, seed = 0): Promise<NamedModel> => {
  const network = Object.hasOwn(networks, name) ? networks[name] : undefined
  if (network) return { model: network.build({ seed }), name }
  if ((await stat(name).catch(() => undefined)) === undefined)
    throw new UsageError(`there is no file or network '${name}'`, {
      remedy: `give an ONNX file or one of ${Object.keys(networks).join(', ')}`,
    })
  return loadModelFile(name)
}

/**
 * An ONNX file with what a plan records of it.
 * @throws EspalierError when there is none; UsageError when it is of another kind; FormatError when it is damaged
 */
export const loadModelFile = async (path: string): Promise<NamedModel & { source: PlanSource }> => {
  stage('read')
  const kind = await kindOfFile(path)
  if (kind && kind !== 'onnx')
    throw new UsageError(`'${path}' is ${kind} where an ONNX file is expected`, { remedy: 'export the model to ONNX' })
  const model = await readModel(path)
  const source = { file: basename(path), sha256: await sha256Of(path) }
  stage('trace')
  return { model, name: basename(path), source }
}

/** Read piece by piece: the model's weights are views of the one copy that is in memory. */
const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece)
  return hash.digest('hex')
}

/** The shape of one sample that a model takes, where its file says so. */
export const sampleDimsOf = ({ graph }: Model): number[] | undefined => {
  const known = knownDims(graph.inputs.find(({ name }) => !graph.initializers.has(name)))
  return known && known.length > 0 ? known : undefined
}

/** The shape of a model's answer to one sample, where its file says so: [] for a single number. */
export const answerDimsOf = ({ graph }: Model): number[] | undefined => knownDims(graph.outputs[0])

/** A value's dimensions but for the batch's, where all are told. */
const knownDims = (value: ValueInfo | undefined): number[] | undefined => {
  const dims = value?.dims?.slice(1)
  const known = dims?.filter((dim) => typeof dim === 'number')
  return known && known.length === dims?.length ? known : undefined
}
