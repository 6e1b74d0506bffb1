import type * as Ort from 'onnxruntime-common'
import { runtimeOver } from './session.ts'
import type { Runtime, SessionOptions } from './types.ts'

export type WebOptions = {
  /**
   * Threads operators may use. Browsers give a page threads only when it is cross-origin isolated; elsewhere there is one.
   * ONNX Runtime's own choice unless said: half the cores, at most 4.
   */
  threads?: number
  /** Where the engine's `.wasm` file lies, a URL; where the bundler put it unless said. */
  wasm?: string
}

/** Writes settings into an engine just loaded, which reads them when its first session opens. */
export const configured = (ort: typeof Ort, settings: WebOptions, options: SessionOptions): typeof Ort => {
  const { wasm } = ort.env
  const threads = settings.threads ?? options.threads
  const isolated = !('crossOriginIsolated' in globalThis) || globalThis.crossOriginIsolated
  if (!isolated) wasm.numThreads = 1
  else if (threads !== undefined) wasm.numThreads = threads
  if (settings.wasm !== undefined) wasm.wasmPaths = { wasm: settings.wasm }
  ort.env.logLevel = 'fatal'
  return ort
}

let loading: Promise<typeof Ort> | undefined

/**
 * ONNX Runtime Web's WebAssembly engine, in browsers and in Node, with settings. A page (or worker) has one such engine,
 * set by whoever opens the first session. Browsers get the build that holds nothing else ('onnxruntime-web/wasm', 3.7 MB
 * gzipped, half of the one with WebGPU, which is `webgpuRuntimeOf` of `runtime/webgpu`).
 */
export const webRuntimeOf = (settings: WebOptions = {}): Runtime =>
  runtimeOver({
    name: 'web',
    provider: async () => 'wasm',
    load(options) {
      loading ??= import('#onnxruntime-web').then((ort: typeof Ort) => configured(ort, settings, options))
      return loading
    },
  })

/** The same as it comes. `threads` of the first session opened become the engine's. */
export const webRuntime: Runtime = webRuntimeOf()

export { webRuntime as defaultRuntime }
