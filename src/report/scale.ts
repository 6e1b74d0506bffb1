/** A map from data to drawing units along one axis, and where its labelled ticks stand. */
export type Scale = {
  (value: number): number
  readonly ticks: readonly { readonly value: number; readonly label: string }[]
}

type Range = readonly [from: number, to: number]

/** The least and greatest finite value, or `fallback` when there is none. */
export const extent = (values: Iterable<number>, fallback: Range = [0, 1]): [number, number] => {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const value of values) {
    if (!Number.isFinite(value)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return low <= high ? [low, high] : [...fallback]
}

/** Steps of 1, 2 or 5 times a power of ten, about `wanted` of them between the ends (Heckbert, Graphics Gems, 1990). */
export const niceTicks = ([low, high]: Range, wanted = 5): number[] => {
  if (!(high > low)) return [low]
  const rough = (high - low) / Math.max(1, wanted)
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999) ?? 10 * power
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  return Array.from({ length: last - first + 1 }, (_, k) =>
    Number(((first + k) * step).toFixed(Math.min(20, decimals))),
  )
}

type Options = { readonly label?: (value: number) => string; readonly wanted?: number }

const scale = (map: (value: number) => number, values: readonly number[], label: (value: number) => string): Scale =>
  Object.assign(map, { ticks: values.map((value) => ({ value, label: label(value) })) })

const between = (low: number, high: number, [from, to]: Range) => {
  const span = high - low || 1
  return (value: number) => from + ((value - low) / span) * (to - from)
}

export const linear = (domain: Range, range: Range, { label = plain, wanted = 5 }: Options = {}): Scale =>
  scale(between(domain[0], domain[1], range), niceTicks(domain, wanted), label)

/** Powers of ten evenly spaced; values at or below zero fall on the lower end. */
export const logarithmic = (domain: Range, range: Range, { label = plain }: Options = {}): Scale => {
  const low = Math.max(domain[0], 1e-12)
  const high = Math.max(domain[1], low * 1.0001)
  const map = between(Math.log10(low), Math.log10(high), range)
  const decades = Math.log10(high / low)
  const mantissas = decades > 3 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 5]
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const mantissa of mantissas) {
      const value = Number((mantissa * 10 ** power).toPrecision(3))
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push(value)
    }
  return scale((value) => map(Math.log10(Math.max(value, low))), ticks, label)
}

/**
 * For accuracies: the logarithm of the error 1 − value, so that 90, 99 and 99.9 % are evenly spaced and the last tenths,
 * which matter most, can be seen. Values above the upper end fall on it.
 */
export const nines = (domain: Range, range: Range, { label = plain }: Options = {}): Scale => {
  const ceiling = Math.min(domain[1], 1 - 1e-6)
  const nine = (value: number) => -Math.log10(1 - Math.min(value, ceiling))
  const map = between(nine(domain[0]), nine(ceiling), range)
  const ticks = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999].filter(
    (value) => value >= domain[0] - 1e-9 && value <= ceiling + 1e-9,
  )
  return scale((value) => map(nine(value)), ticks, label)
}

const plain = (value: number): string => value.toLocaleString('en-US', { maximumSignificantDigits: 6 })
