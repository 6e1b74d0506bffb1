import type { NetworkName, Story, Task } from './story.ts'
import type { Answer, Order } from './story.worker.ts'

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
}

const bytesOf = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer())
const digitsOf = async (part: 'train' | 'test') => ({
  images: await bytesOf(`/digits/${part}-images`),
  labels: await bytesOf(`/digits/${part}-labels`),
})

const inWorker = (order: Order) =>
  new Promise<Story>((resolve, reject) => {
    const worker = new Worker(new URL('./story.worker.ts', import.meta.url), { type: 'module' })
    worker.addEventListener('error', (event) => reject(new Error(event.message)))
    worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
      worker.terminate()
      if ('story' in data) resolve(data.story)
      else reject(new Error(data.error))
    })
    worker.postMessage(order)
  })

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
