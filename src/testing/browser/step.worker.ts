import { webRuntimeOf } from '../../runtime/web.ts'
import { webgpuRuntimeOf } from '../../runtime/webgpu.ts'
import { type Step, stepOn } from './step.ts'

export type StepOrder = { readonly provider: 'wasm' | 'webgpu' }
export type StepAnswer = { readonly told: Step } | { readonly error: string }

addEventListener('message', async ({ data: { provider } }: MessageEvent<StepOrder>) => {
  const runtime = provider === 'wasm' ? webRuntimeOf({ threads: 1 }) : webgpuRuntimeOf({ provider, threads: 1 })
  const answer: StepAnswer = await stepOn(runtime).then(
    (told) => ({ told }),
    (error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
  postMessage(answer)
})
