import { assemble } from './assemble.ts'
import type { Rule } from './expression.ts'
import { interpret } from './interpret.ts'
import type { Run } from './loop.ts'
import { loopMemory, pages, pieceLength } from './memory.ts'

/** A rule as a WASM function with the copies into its memory and back around it; undefined where there is no WASM with SIMD. */
export const compile = (rule: Rule): Run | undefined => {
  const { memory, places } = loopMemory()
  const bytes = assemble(rule, pages)
  if (!memory || !WebAssembly.validate(bytes)) return undefined
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { loops: { memory } }).exports
  if (typeof run !== 'function') return undefined

  const means = rule.values.some(({ op }) => op === 'mean')
  const read = new Set(rule.values.flatMap((value) => ('index' in value && value.op !== 'scalar' ? [value.index] : [])))
  const inside = (array: Float32Array) => array.buffer === memory.buffer

  return (arrays, scalars, length) => {
    // A mean needs its run in one piece.
    if (means && length > pieceLength) return interpret(rule)(arrays, scalars, length)
    const size = arrays[0]?.length ?? 0
    const most = means ? pieceLength - (pieceLength % length) : pieceLength
    for (let at = 0; at < size; at += most) {
      const n = Math.min(most, size - at)
      const addresses = arrays.map((array, k) => {
        if (inside(array)) return array.byteOffset + 4 * at
        const place = places[1 + k]!
        if (read.has(k)) place.set(array.subarray(at, at + n))
        return place.byteOffset
      })
      run(n, means ? length : n, ...addresses, ...scalars)
      for (const { array: k } of rule.results) {
        const array = arrays[k]!
        if (!inside(array)) array.set(places[1 + k]!.subarray(0, n), at)
      }
    }
  }
}
