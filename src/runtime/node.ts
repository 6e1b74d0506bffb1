import type * as Ort from 'onnxruntime-common'
import { runtimeOver } from './session.ts'
import type { Runtime } from './types.ts'

/**
 * ONNX Runtime's native engine, in Node. Running blocks the event loop: a server trains in a worker. Loaded when the first
 * session opens, so importing this costs nothing.
 */
export const nodeRuntime: Runtime = runtimeOver({
  name: 'node',
  provider: async () => 'cpu',
  async load() {
    const ort: typeof Ort = await import('onnxruntime-node')
    // Read once, when the engine starts: it would otherwise warn on stderr.
    ort.env.logLevel = 'fatal'
    return ort
  },
})

export { nodeRuntime as defaultRuntime }
