import type * as Ort from 'onnxruntime-common'
import { UnsupportedError } from '../base/index.ts'
import { runtimeOver } from './session.ts'
import type { Runtime } from './types.ts'
import { configured, type WebOptions } from './web.ts'

export type WebGpuOptions = WebOptions & {
  /** 'auto' unless said: the GPU where the browser offers one, WebAssembly elsewhere. */
  provider?: 'auto' | 'webgpu' | 'wasm'
}

let loading: Promise<typeof Ort> | undefined

/**
 * ONNX Runtime Web's engine with WebGPU, for browsers. Operators that it does not have on the GPU run in WebAssembly, and
 * values are carried over. A page (or worker) has one such engine, set by whoever opens the first session.
 */
export const webgpuRuntimeOf = ({ provider: wanted = 'auto', ...settings }: WebGpuOptions = {}): Runtime =>
  runtimeOver({
    name: 'web',
    async provider() {
      if (wanted === 'wasm' || (wanted === 'auto' && !(await hasAdapter()))) return 'wasm'
      if (await hasAdapter()) return 'webgpu'
      throw new UnsupportedError('the browser offers no GPU adapter', { remedy: "use the provider 'auto' or 'wasm'" })
    },
    load(options) {
      loading ??= import('onnxruntime-web/webgpu').then((ort: typeof Ort) => configured(ort, settings, options))
      return loading
    },
  })

let asking: Promise<boolean> | undefined

/** Whether there is a GPU to be had; asked once. */
const hasAdapter = (): Promise<boolean> => {
  const gpu: unknown = 'gpu' in navigator ? navigator.gpu : undefined
  asking ??= isGpu(gpu)
    ? gpu.requestAdapter().then(
        (adapter) => adapter !== null,
        () => false,
      )
    : Promise.resolve(false)
  return asking
}

/** Browsers' types are not part of this project's. */
type Gpu = { requestAdapter(): Promise<object | null> }

const isGpu = (value: unknown): value is Gpu => typeof value === 'object' && value !== null && 'requestAdapter' in value
