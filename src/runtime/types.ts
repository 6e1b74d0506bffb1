import type { Tensor } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'

/** How a session runs. Defaults are each engine's own. */
export type SessionOptions = {
  /** Threads one operator may use (intra-op). The web engine reads it once, when its first session opens. */
  threads?: number
  /** Graph rewriting the engine may do before it runs; 'all' unless said. */
  optimization?: 'disabled' | 'basic' | 'extended' | 'all'
}

/** Named tensors going in or coming out. */
export type Values = { readonly [name: string]: Tensor }

/** A model made ready to run. */
export type Session = {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Runs the graph; every output unless `fetches` names some. The tensors returned are the caller's to keep. */
  run(feeds: Values, fetches?: readonly string[]): Promise<Values>
  /** Frees the engine's memory; the session cannot run after it. */
  close(): Promise<void>
}

/** An engine that runs ONNX models: ONNX Runtime native in Node, or ONNX Runtime Web in the browser and in Node. */
export type Runtime = {
  readonly name: 'node' | 'web'
  /** @throws EspalierError naming the node or operator when the engine refuses the model. */
  open(model: Model | Uint8Array, options?: SessionOptions): Promise<Session>
}
