export { openParallelEngine, openShardedEngine } from './engine.ts'
export type { ShardedOptions } from './options.ts'
export { isSplittable } from './splittable.ts'
