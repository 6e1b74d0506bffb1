import { padZeros, slice, sum } from './helpers.ts'
import type { GradientContext } from './types.ts'

/**
 * Neighbouring outputs that read neighbouring inputs: outputs `from`, `from + 1` … read inputs `to`, `to + step` … A step of
 * 0 is one input read over and over, −1 a reversed stretch.
 */
export type Run = { readonly from: number; readonly to: number; readonly length: number; readonly step: -1 | 0 | 1 }

/** Takes a map from output to input indices apart into runs; outputs that read no input are marked −1. */
export const runsOf = (map: readonly number[]): Run[] => {
  const runs: Run[] = []
  let from = 0
  while (from < map.length) {
    const to = map[from]!
    if (to < 0) {
      from++
      continue
    }
    const step = stepBetween(to, map[from + 1])
    let length = step === undefined ? 1 : 2
    while (step !== undefined && map[from + length] === to + length * step) length++
    runs.push({ from, to, length, step: step ?? 1 })
    from += length
  }
  return runs
}

const stepBetween = (a: number, b: number | undefined): Run['step'] | undefined => {
  const step = b === undefined || b < 0 ? undefined : b - a
  return step === -1 || step === 0 || step === 1 ? step : undefined
}

/**
 * The transpose of reading along one axis by a map: input k gets the sum of all outputs that read it. Each run is cut out,
 * put in place between zeros, and the runs are added.
 *
 * @param dims the shape of `dy`
 * @param size how many inputs the axis has
 */
export const scatterRuns = (
  g: GradientContext,
  dy: string,
  dims: readonly number[],
  axis: number,
  runs: readonly Run[],
  size: number,
): string => {
  const parts = runs.map((run) => {
    const piece = cut(g, dy, dims, axis, run)
    const length = run.step === 0 ? 1 : run.length
    const begin = run.step === -1 ? run.to - length + 1 : run.to
    const pads = (at: number) => dims.map((_, i) => (i === axis ? at : 0))
    return padZeros(g, piece, pads(begin), pads(size - begin - length))
  })
  return parts.length === 1 ? parts[0]! : g.b.op('Sum', parts)
}

const cut = (g: GradientContext, dy: string, dims: readonly number[], axis: number, run: Run): string => {
  const { from, length, step } = run
  if (step === -1)
    return slice(g, dy, {
      axes: [axis],
      starts: [from + length - 1],
      // Before index 0: −1 would count from the end.
      ends: [from === 0 ? -dims[axis]! - 1 : from - 1],
      steps: [-1],
    })
  const whole = from === 0 && length === dims[axis]
  const piece = whole ? dy : slice(g, dy, { axes: [axis], starts: [from], ends: [from + length] })
  return step === 0 ? sum(g, piece, [axis], true) : piece
}
