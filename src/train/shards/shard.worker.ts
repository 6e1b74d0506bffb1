import { parentPort, workerData } from 'node:worker_threads'
import { byteLengthOf, messageOf, type Tensor } from '../../base/index.ts'
import type { SessionOptions } from '../../runtime/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { type Layout, signal, tensorAt } from './layout.ts'

/** What the worker is started with. */
export type ShardJob = {
  readonly model: Uint8Array
  readonly settings: SessionOptions
  readonly memory: SharedArrayBuffer
  readonly layout: Layout
  readonly feeds: readonly string[]
  readonly fetches: readonly string[]
}

// Serves one session: waits for the signal, runs on what lies in the shared memory and leaves the results there.
const job: ShardJob = workerData
const state = new Int32Array(job.memory, 0, 1)
const session = await nodeRuntime.open(job.model, job.settings)
const feeds: { [name: string]: Tensor } = Object.fromEntries(
  job.feeds.map((name) => {
    const { type, dims } = job.layout[name]!
    return [name, { type, dims, bytes: new Uint8Array(byteLengthOf({ type, dims })) }]
  }),
)
const sources = new Map(job.feeds.map((name) => [name, tensorAt(job.memory, job.layout, name).bytes]))
const places = new Map(job.fetches.map((name) => [name, tensorAt(job.memory, job.layout, name).bytes]))
parentPort?.postMessage('ready')

for (;;) {
  Atomics.wait(state, 0, signal.idle)
  Atomics.wait(state, 0, signal.done)
  if (Atomics.load(state, 0) === signal.stop) break
  try {
    for (const [name, bytes] of sources) feeds[name]!.bytes.set(bytes)
    const results = await session.run(feeds, job.fetches)
    for (const [name, place] of places) place.set(results[name]!.bytes)
    Atomics.store(state, 0, signal.done)
  } catch (error) {
    parentPort?.postMessage(messageOf(error))
    Atomics.store(state, 0, signal.failed)
  }
  Atomics.notify(state, 0)
  if (Atomics.load(state, 0) === signal.failed) break
}
await session.close()
