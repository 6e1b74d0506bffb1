import type { ErrorPlace } from '../base/index.ts'
import { modelFrom } from './decode.ts'
import { modelChunks } from './encode.ts'
import { liftConstants } from './graph.ts'
import { topologicalSort } from './sort.ts'
import type { ExternalReader } from './tensorproto.ts'
import type { Model } from './types.ts'
import { validateModel } from './validate.ts'
import { concatenated } from './wire.ts'

export { type ExternalPlace, type ExternalReader, tensorFromProto, tensorToProto } from './tensorproto.ts'

export type DecodeOptions = {
  /** Named in errors. */
  file?: string
  /** Gives data stored outside the model file; without it such a model is an error. `readModel` supplies it. */
  external?: ExternalReader
}

/**
 * Reads an ONNX model from the bytes of its file. Weights are views of `bytes`, not copies. Constant nodes become
 * initializers, and initializers listed among the inputs are not inputs any more. All the rest is kept and written back.
 * @throws FormatError, naming the file and what is wrong, for anything that is not a sound model
 */
export const decodeModel = (bytes: Uint8Array, options: DecodeOptions = {}): Model => {
  const place: ErrorPlace = options.file === undefined ? {} : { file: options.file }
  const model = modelFrom(bytes, { place, external: options.external })
  topologicalSort(model.graph, options)
  validateModel(model, options)
  liftConstants(model.graph)
  return model
}

/** The bytes of a model's file, all weights inside. For more than 2 GiB use `writeModel`, which puts them beside it. */
export const encodeModel = (model: Model): Uint8Array => concatenated(modelChunks(model))
