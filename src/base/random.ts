/** A seeded source of random numbers whose state can be saved and restored: the same seed gives the same run. */
export type Random = {
  /** Uniform in [0, 1), 53 random bits. */
  uniform(): number
  /** Standard normal (Box–Muller, both halves used). */
  normal(): number
  /** A whole number in [0, n). */
  below(n: number): number
  /** Shuffles in place (Fisher–Yates) and returns the same array. */
  shuffle<A extends { length: number; [index: number]: number }>(items: A): A
  /** A second, independent generator derived from this one's next numbers. */
  fork(): Random
  /** Plain data; `randomFrom(state)` continues exactly here. */
  state(): RandomState
}

export type RandomState = { readonly words: readonly [number, number, number, number]; readonly spare: number | null }

/** splitmix32: spreads a small seed over the generator's 128 bits of state. */
const seedWords = (seed: number): [number, number, number, number] => {
  let z = seed >>> 0
  const next = () => {
    z = (z + 0x9e3779b9) >>> 0
    let x = z ^ (z >>> 16)
    x = Math.imul(x, 0x21f0aaad)
    x ^= x >>> 15
    x = Math.imul(x, 0x735a2d97)
    return (x ^ (x >>> 15)) >>> 0
  }
  return [next(), next(), next(), next()]
}

/** A generator for a whole-number seed. */
export const random = (seed: number): Random => randomFrom({ words: seedWords(seed), spare: null })

/** Continues a generator from its saved state. xoshiro128**, Blackman and Vigna 2018. */
export const randomFrom = (saved: RandomState): Random => {
  let [a, b, c, d] = saved.words
  let spare = saved.spare

  const word = () => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotl(d, 11)
    return result
  }
  const uniform = () => (word() * 2 ** 21 + (word() >>> 11)) / 2 ** 53
  const below = (n: number) => Math.floor(uniform() * n)

  return {
    uniform,
    below,
    normal() {
      if (spare !== null) {
        const value = spare
        spare = null
        return value
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
      const angle = 2 * Math.PI * uniform()
      spare = radius * Math.sin(angle)
      return radius * Math.cos(angle)
    },
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i--) {
        const j = below(i + 1)
        const held = items[i]!
        items[i] = items[j]!
        items[j] = held
      }
      return items
    },
    fork: () => randomFrom({ words: seedWords(word()), spare: null }),
    state: () => ({ words: [a, b, c, d], spare }),
  }
}

const rotl = (x: number, k: number) => (x << k) | (x >>> (32 - k))
