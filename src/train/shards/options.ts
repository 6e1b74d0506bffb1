import type { EngineOptions } from '../engine.ts'

export type ShardedOptions = EngineOptions & {
  /** How many parts a batch is split into: one runs here, the others in a worker thread each. */
  readonly shards: number
}
