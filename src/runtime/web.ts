import type * as Ort from 'onnxruntime-common'
import { runtimeOver } from './session.ts'
import type { Runtime } from './types.ts'

let loading: Promise<typeof Ort> | undefined

/**
 * ONNX Runtime Web's WebAssembly engine, in browsers and in Node. Threads are set by the first session opened and need a
 * cross-origin-isolated page; elsewhere it runs on one.
 */
export const webRuntime: Runtime = runtimeOver({
  name: 'web',
  provider: 'wasm',
  load({ threads }) {
    loading ??= import('onnxruntime-web').then((ort: typeof Ort) => {
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
