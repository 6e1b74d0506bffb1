export { openBench, pieceLength } from './bench.ts'
export { add, div, type Expression, max, mean, mul, sqrt, sub } from './expression.ts'
export { loop } from './loop.ts'
