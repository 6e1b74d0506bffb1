/** WebAssembly's binary format: core specification 2.0, §5. Code is a list of bytes. */
export type Code = readonly number[]

/** An unsigned number in LEB128: seven bits a byte, the lowest first. */
export const leb = (n: number): Code => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >>> 7)])
export const sized = (bytes: Code): Code => [...leb(bytes.length), ...bytes]
export const text = (name: string): Code => sized([...new TextEncoder().encode(name)])
export const section = (id: number, items: readonly Code[]): Code => [
  id,
  ...sized([...leb(items.length), ...items.flat()]),
]

export const types = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b }

export const get = (local: number): Code => [0x20, ...leb(local)]
export const set = (local: number): Code => [0x21, ...leb(local)]
/** −64…63: one byte of signed LEB128. */
const constant = (n: number): Code => [0x41, n & 127]
const simd = (code: number): Code => [0xfd, ...leb(code)]
const anywhere: Code = [0, 0] // an access's alignment, which is a hint, and its offset

export const i32 = {
  add: [0x6a],
  shl: [0x74],
  and: [0x71],
  below: [0x49],
  isZero: [0x45],
  constant,
}

/** While a condition holds, a body: block { loop { unless the condition leave; body; again } }. */
export const during = (condition: Code, body: Code): Code => [
  ...[0x02, 0x40, 0x03, 0x40],
  ...[...condition, ...i32.isZero, 0x0d, 1],
  ...body,
  ...[0x0c, 0, 0x0b, 0x0b],
]

export const end: Code = [0x0b]

/** The float32 instructions for four elements at once. */
export const four = {
  bytes: 16,
  load: [...simd(0x00), ...anywhere],
  store: [...simd(0x0b), ...anywhere],
  splat: simd(0x13),
  sqrt: simd(0xe3),
  add: simd(0xe4),
  sub: simd(0xe5),
  mul: simd(0xe6),
  div: simd(0xe7),
  max: simd(0xe9),
}

/** The same for one. */
export const one: typeof four = {
  bytes: 4,
  load: [0x2a, ...anywhere],
  store: [0x38, ...anywhere],
  splat: [],
  sqrt: [0x91],
  add: [0x92],
  sub: [0x93],
  mul: [0x94],
  div: [0x95],
  max: [0x97],
}

/** What sums need: doubles, two by two. */
export const double = {
  zero: [0x44, 0, 0, 0, 0, 0, 0, 0, 0],
  add: [0xa0],
  div: [0xa3],
  ofSingle: [0xbb],
  ofInteger: [0xb8],
  toSingle: [0xb6],
  pair: {
    zero: [...simd(0x0c), ...Array<number>(16).fill(0)],
    add: simd(0xf0),
    /** Two singles so many bytes after an address, as doubles. */
    loadSingles: (offset: number): Code => [...simd(0x5d), 0, offset, ...simd(0x5f)], // v128.load64_zero, promote_low
    first: [...simd(0x21), 0],
    second: [...simd(0x21), 1],
  },
}
