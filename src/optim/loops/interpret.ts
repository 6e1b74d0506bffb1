import type { Binary, Expression, Rule, Run } from './expression.ts'
import { pieceLength } from './memory.ts'

/**
 * A rule without WASM: one plain loop for each operation, over a run or a piece of one at a time. Storing to a Float32Array
 * rounds to float32, and rounding the double result of one operation on float32 numbers is float32 arithmetic exactly
 * (Figueroa 1995: When is double rounding innocuous?), so every bit is as WASM computes it.
 */
export const interpret = ({ values, results }: Rule): Run => {
  const means = values.some(({ op }) => op === 'mean')
  return (arrays, scalars, length) => {
    const size = arrays[0]?.length ?? 0
    const most = means ? length : Math.min(pieceLength, size)
    const held = new Map(values.map((value) => [value, new Float32Array(value.op === 'array' ? 0 : most)]))
    for (let at = 0; at < size; at += most) {
      const n = Math.min(most, size - at)
      const pieces = arrays.map((array) => array.subarray(at, at + n))
      const of = (value: Expression): Float32Array =>
        (value.op === 'array' ? pieces[value.index] : held.get(value)) ?? new Float32Array(n)
      for (const value of values) {
        const out = of(value)
        switch (value.op) {
          case 'array':
            break
          case 'scalar':
            out.fill(scalars[value.index] ?? 0)
            break
          case 'mean':
            out.fill(sumOf(pieces[value.index]!) / n)
            break
          case 'sqrt':
            for (let i = 0; i < n; i++) out[i] = Math.sqrt(of(value.a)[i]!)
            break
          default:
            operate(value.op, of(value.a), of(value.b), out, n)
        }
      }
      // A result may be another array that is about to be written: copy first.
      const ready = results.map(({ value }) => of(value).slice(0, n))
      for (const [k, { array }] of results.entries()) pieces[array]?.set(ready[k] ?? [])
    }
  }
}

const operate = (op: Binary, a: Float32Array, b: Float32Array, out: Float32Array, n: number): void => {
  switch (op) {
    case 'add':
      for (let i = 0; i < n; i++) out[i] = a[i]! + b[i]!
      return
    case 'sub':
      for (let i = 0; i < n; i++) out[i] = a[i]! - b[i]!
      return
    case 'mul':
      for (let i = 0; i < n; i++) out[i] = a[i]! * b[i]!
      return
    case 'div':
      for (let i = 0; i < n; i++) out[i] = a[i]! / b[i]!
      return
    case 'max':
      for (let i = 0; i < n; i++) out[i] = Math.max(a[i]!, b[i]!)
  }
}

/** Eight sums side by side, in the order in which WASM adds them up; then what is left after the eights. */
const sumOf = (values: Float32Array): number => {
  const eights = values.length - (values.length % 8)
  const sums = new Float64Array(8)
  for (let i = 0; i < eights; i += 8) for (let k = 0; k < 8; k++) sums[k]! += values[i + k]!
  let rest = 0
  for (let i = eights; i < values.length; i++) rest += values[i]!
  const [even = 0, odd = 0] = [0, 1].map((k) => sums[k]! + sums[k + 4]! + (sums[k + 2]! + sums[k + 6]!))
  return even + odd + rest
}
