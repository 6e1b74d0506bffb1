import type { Step } from './step.ts'
import type { StepOrder } from './step.worker.ts'
import type { NetworkName, Story, Task } from './story.ts'
import type { Order } from './story.worker.ts'

/** A story, and how the page did meanwhile. */
export type Outcome = Omit<Story, 'file'> & {
  /** The file's bytes as numbers, which can be handed to whoever drives the page. */
  readonly file: readonly number[]
  /** Milliseconds the main thread went without serving a timer, at the longest. */
  readonly longestPause: number
  readonly milliseconds: number
  readonly isolated: boolean
}

declare global {
  /** Called from outside: has a worker train, prune and retrain a network. */
  var run: (network: NetworkName, threads: number) => Promise<Outcome>
  /** Has a worker do a training step. */
  var step: (provider: StepOrder['provider']) => Promise<Step>
  /** Has one and the same worker do training steps. */
  var steps: (count: number) => Promise<number>
  /** What the browser's GPU adapter says it is; undefined where it has none. */
  var adapter: () => Promise<string | undefined>
}

const bytesOf = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer())
const digitsOf = async (part: 'train' | 'test') => ({
  images: await bytesOf(`/digits/${part}-images`),
  labels: await bytesOf(`/digits/${part}-labels`),
})

/** Hands an order to a worker, and waits for what it tells. */
const told = <T>(worker: Worker, order: Order | StepOrder | number) =>
  new Promise<T>((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message))
    worker.onmessage = ({ data }: MessageEvent<{ told: T } | { error: string }>) => {
      if ('told' in data) resolve(data.told)
      else reject(new Error(data.error))
    }
    worker.postMessage(order)
  })

/** The same of a worker that is done then. */
const asked = <T>(worker: Worker, order: Order | StepOrder) => told<T>(worker, order).finally(() => worker.terminate())

const inWorker = (order: Order): Promise<Story> =>
  asked(new Worker(new URL('./story.worker.ts', import.meta.url), { type: 'module' }), order)

globalThis.step = (provider) =>
  asked(new Worker(new URL('./step.worker.ts', import.meta.url), { type: 'module' }), { provider })

let stepping: Worker | undefined
globalThis.steps = (count) => {
  stepping ??= new Worker(new URL('./steps.worker.ts', import.meta.url), { type: 'module' })
  return told(stepping, count)
}

globalThis.adapter = async () => {
  const { gpu }: { gpu?: { requestAdapter(): Promise<{ info: { vendor: string; architecture: string } } | null> } } =
    navigator
  const found = await gpu?.requestAdapter()
  return found ? `${found.info.vendor} ${found.info.architecture}` : undefined
}

/** Watches how long the main thread keeps a timer waiting. */
const watchPauses = () => {
  let [last, longest] = [performance.now(), 0]
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }, 10)
  return () => {
    clearInterval(timer)
    return Math.max(longest, performance.now() - last)
  }
}

globalThis.run = async (network, threads) => {
  const task: Task = { train: await digitsOf('train'), test: await digitsOf('test'), threads }
  const start = performance.now()
  const stop = watchPauses()
  const { file, ...story } = await inWorker({ network, task })
  return {
    ...story,
    file: Array.from(file),
    longestPause: stop(),
    milliseconds: performance.now() - start,
    isolated: crossOriginIsolated,
  }
}
