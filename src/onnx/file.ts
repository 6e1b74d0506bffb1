import { readFile } from 'node:fs/promises'
import { writeFileAtomic } from '../base/files.ts'
import { FormatError, messageOf } from '../base/index.ts'
import { decodeModel } from './codec.ts'
import { modelChunks } from './encode.ts'
import type { Model } from './types.ts'
import { gathered } from './wire.ts'

/** Reads an ONNX model file. */
export const readModel = async (path: string): Promise<Model> => decodeModel(await contentsOf(path), { file: path })

const contentsOf = async (path: string): Promise<Uint8Array> => {
  try {
    return await readFile(path)
  } catch (error) {
    throw new FormatError(`cannot read: ${messageOf(error)}`, { place: { file: path }, cause: error })
  }
}

/** Writes an ONNX model file, whole or not at all. */
export const writeModel = async (path: string, model: Model): Promise<void> =>
  writeFileAtomic(path, gathered(modelChunks(model).parts))
