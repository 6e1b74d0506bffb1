import type * as Ort from 'onnxruntime-common'
import { runtimeOver } from './session.ts'
import type { Runtime } from './types.ts'

let loading: Promise<typeof Ort> | undefined

/**
 * ONNX Runtime Web's WebAssembly engine, in browsers and in Node. Threads are set by the first session opened and need a
 * cross-origin-isolated page; elsewhere it runs on one. Browsers get the build that holds nothing but this engine
 * ('onnxruntime-web/wasm', 3.7 MB gzipped, half of the one with WebGPU); where its file lies can be set in that module's
 * `env.wasm.wasmPaths` before the first session opens.
 */
export const webRuntime: Runtime = runtimeOver({
  name: 'web',
  provider: 'wasm',
  load({ threads }) {
    loading ??= import('#onnxruntime-web').then((ort: typeof Ort) => {
      const isolated = !('crossOriginIsolated' in globalThis) || globalThis.crossOriginIsolated
      if (!isolated) ort.env.wasm.numThreads = 1
      else if (threads !== undefined) ort.env.wasm.numThreads = threads
      ort.env.logLevel = 'fatal'
      return ort
    })
    return loading
  },
})

export { webRuntime as defaultRuntime }
