export { add, div, type Expression, max, mean, mul, sqrt, sub } from './expression.ts'
export { loop } from './loop.ts'
export { type LoopMemory, memoryOf, pieceLength } from './memory.ts'
export { residence } from './residence.ts'
