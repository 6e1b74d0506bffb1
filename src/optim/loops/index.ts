export { add, div, type Expression, max, mean, mul, sqrt, sub } from './expression.ts'
export { loop } from './loop.ts'
export { loopMemory, pieceLength } from './memory.ts'
