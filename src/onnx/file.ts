import { readFile, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import { EspalierError, FormatError, messageOf } from '../base/index.ts'
import { decodeModel } from './codec.ts'
import { modelChunks } from './encode.ts'
import { dataFile, externalFolder } from './external.ts'
import type { Model } from './types.ts'
import { validateModel } from './validate.ts'
import { gathered } from './wire.ts'

/** What a protobuf message may take: 2 GiB. */
const protobufLimit = 2 ** 31 - 1

/**
 * Reads an ONNX model file and the data files beside it. Each weight is in memory once: a view of the file's bytes, or
 * memory of its own for external data.
 * @throws FormatError naming the file and what is wrong, for anything that is not a sound model
 */
export const readModel = async (path: string): Promise<Model> => {
  const bytes = await contentsOf(path)
  const { read, load } = externalFolder(dirname(path))
  const model = decodeModel(bytes, { file: path, external: read })
  await load()
  return model
}

const contentsOf = async (path: string): Promise<Uint8Array> => {
  const place = { file: path }
  try {
    const stats = await stat(path)
    // Reading a pipe or a device may never end.
    if (!stats.isFile()) throw new FormatError('not a file', { place })
    if (stats.size > protobufLimit)
      throw new FormatError(`${stats.size} bytes, more than the 2 GiB an ONNX file can have`, { place })
    return await readFile(path)
  } catch (error) {
    if (error instanceof FormatError) throw error
    throw new FormatError(`cannot read: ${messageOf(error)}`, { place, cause: error })
  }
}

export type WriteOptions = {
  /**
   * Puts initializers of at least `threshold` bytes (1024 unless said) into a file beside the model, named like it with
   * `.data` after. Without this option it is done only where the model would pass protobuf's 2 GiB.
   */
  externalData?: { threshold?: number }
}

/**
 * Writes an ONNX model file, whole or not at all, without a second copy of the weights in memory. A data file is written
 * before the model that points to it.
 * @throws FormatError before anything is written when the model is not sound
 */
export const writeModel = async (path: string, model: Model, options: WriteOptions = {}): Promise<void> => {
  validateModel(model, { file: path })
  const whole = modelChunks(model)
  if (!options.externalData && whole.length <= protobufLimit) return writeFileAtomic(path, gathered(whole.parts))

  const data = dataFile(`${basename(path)}.data`, options.externalData?.threshold ?? 1024)
  const head = modelChunks(model, data.place)
  if (head.length > protobufLimit)
    throw new EspalierError(`takes ${head.length} bytes beside its external data, more than protobuf's 2 GiB`, {
      place: { file: path },
    })
  await writeFileAtomic(`${path}.data`, gathered(data.chunks()))
  await writeFileAtomic(path, gathered(head.parts))
}
