import { assemble } from './assemble.ts'
import type { Rule, Run } from './expression.ts'
import { interpret } from './interpret.ts'
import { type LoopMemory, memoryOf, pages, pieceLength } from './memory.ts'

/** The function of the module `assemble` makes. */
type Compiled = (n: number, length: number, ...addressesAndScalars: number[]) => void

/**
 * A rule as a WASM function, with copies into its memory and back around it for arrays that do not live there; undefined
 * where there is no WASM with SIMD.
 */
export const compile = (rule: Rule): Run | undefined => {
  const bytes = assemble(rule, pages)
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(bytes)) return undefined
  const module = new WebAssembly.Module(bytes)
  const compiled = new WeakMap<LoopMemory, Compiled>()
  const compiledFor = (home: LoopMemory): Compiled => {
    const found = compiled.get(home) ?? instantiate(module, home)
    compiled.set(home, found)
    return found
  }

  const means = rule.values.some(({ op }) => op === 'mean')
  const read = new Set(rule.values.flatMap((value) => ('index' in value && value.op !== 'scalar' ? [value.index] : [])))

  return (arrays, scalars, length) => {
    // A mean needs its run in one piece.
    if (means && length > pieceLength) return interpret(rule)(arrays, scalars, length)
    const home = memoryOf(arrays)
    const run = compiledFor(home)
    const inside = arrays.map(({ buffer }) => buffer === home.buffer)
    const size = arrays[0]?.length ?? 0
    const most = means ? pieceLength - (pieceLength % length) : pieceLength
    for (let at = 0; at < size; at += most) {
      const n = Math.min(most, size - at)
      const addresses = arrays.map((array, k) => {
        if (inside[k]) return array.byteOffset + 4 * at
        const place = home.places[k]!
        if (read.has(k)) place.set(array.subarray(at, at + n))
        return place.byteOffset
      })
      run(n, means ? length : n, ...addresses, ...scalars)
      for (const { array: k } of rule.results) if (!inside[k]) arrays[k]!.set(home.places[k]!.subarray(0, n), at)
    }
  }
}

const instantiate = (module: WebAssembly.Module, { memory }: LoopMemory): Compiled => {
  const { run } = new WebAssembly.Instance(module, memory && { loops: { memory } }).exports
  if (typeof run !== 'function') throw new TypeError('a loop without its function')
  return (...numbers) => run(...numbers)
}
