export { type Replay, type ReplayError, replay } from './replay.ts'
export { recipeFor } from './sources.ts'
export { decodeTrace, type Trace } from './trace.ts'
