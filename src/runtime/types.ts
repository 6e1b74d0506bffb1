import type { Tensor } from '../base/index.ts'
import type { Model, ValueInfo } from '../onnx/index.ts'

/** How a session runs. Defaults are each engine's own. */
export type SessionOptions = {
  /** Threads one operator may use (intra-op). The web engine reads it once, when its first session opens. */
  threads?: number
  /** Graph rewriting the engine may do before it runs; 'all' unless said. */
  optimization?: 'disabled' | 'basic' | 'extended' | 'all'
  /**
   * Whether the engine, having seen a run, lays all its values out in one block beforehand: a little faster, and up to twice
   * the memory, since what the first run took is kept as well. Its own default is true.
   */
  memoryPattern?: boolean
}

/** Named tensors going in or coming out. */
export type Values = { readonly [name: string]: Tensor }

/** A model made ready to run. */
export type Session = {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /**
   * Type and dimensions of every input and output, as the engine infers them: a name where a dimension is free, type
   * 'undefined' where the value is not a tensor. The engine does not tell an unknown rank from a scalar, so such values
   * carry no `dims`.
   */
  readonly valueInfo: ReadonlyMap<string, ValueInfo>
  /**
   * Runs the graph; every output that is a tensor unless `fetches` names some. The tensors returned are the caller's to
   * keep. Feeds are read in place where their memory allows it, so they must not change before the promise settles.
   * @throws EspalierError naming the input that is missing, unknown, or of the wrong type or shape.
   */
  run(feeds: Values, fetches?: readonly string[]): Promise<Values>
  /** Waits for runs under way, then frees the engine's memory; the session cannot run after it. Safe to call twice. */
  close(): Promise<void>
}

/**
 * What can be opened: a model, the bytes of an ONNX file, or where the file lies (a URL in a browser), which is the way
 * for files past protobuf's 2 GiB with external data beside them.
 */
export type ModelSource = Model | Uint8Array | { readonly path: string }

/** Where operators run: on the CPU natively or in WebAssembly, or on a GPU with WebAssembly for the operators it lacks. */
export type Provider = 'cpu' | 'wasm' | 'webgpu'

/** An engine that runs ONNX models: ONNX Runtime native in Node, or ONNX Runtime Web in the browser and in Node. */
export type Runtime = {
  readonly name: 'node' | 'web'
  /** @throws UnsupportedError where the one asked for is not there, as a GPU may not be. */
  provider(): Promise<Provider>
  /** @throws EspalierError naming the node or operator when the engine refuses the model. */
  open(model: ModelSource, options?: SessionOptions): Promise<Session>
}
