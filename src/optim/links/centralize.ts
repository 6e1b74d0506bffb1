import { loop, mean, sub } from '../loops/index.ts'
import type { Link, Parameter, Site } from '../types.ts'
import { axisZero, type Units, unitsOf } from './units.ts'

export type CentralizeOptions = {
  /** Convolutions only (1-, 2- and 3-D, transposed too), leaving dense layers alone; false. */
  convOnly?: boolean
  /** Also embeddings, whose rows are then treated as units; false: a row that was not looked up has no gradient to centre. */
  embeddings?: boolean
  /**
   * Which axes are averaged over. 'role' (the default): all but the axis of output units, which the parameter's role tells.
   * 'ndim': all but axis 0 of whatever has two axes or more, and "convolutions" are tensors of four axes or more. That is
   * the rule of the published PyTorch code: the same for Conv and Linear, but per *input* for transposed convolutions and
   * [in, out] matrices, and it centres embeddings.
   */
  axes?: 'role' | 'ndim'
}

/**
 * Gradient centralization: takes from each output unit's gradient its mean, Φ(∇w) = ∇w − mean(∇w), the projection onto the
 * hyperplane of vectors that sum to zero. Placed first in a chain it centres the gradient; placed after the adaptive link it
 * centres the update, which keeps every filter's mean where it began.
 * Yong, Huang, Hua, Zhang: Gradient Centralization, ECCV 2020, eq. 1 and §3.
 */
export const centralize = (options: CentralizeOptions = {}): Link => ({
  name: 'centralize',
  applies: (p) => unitsFor(p, options) !== undefined,
  grain: (p) => {
    const units = unitsFor(p, options)
    return units?.outer === 1 ? units.inner : undefined
  },
  update(site) {
    const units = unitsFor(site.parameter, options)
    if (!units) return
    if (site.emit) report(site, units)
    if (units.outer === 1) centreRuns({ u: site.update }, {}, units.inner)
    else centreColumns(site.update, units)
  },
})

const unitsFor = (p: Parameter, { convOnly = false, embeddings = false, axes = 'role' }: CentralizeOptions) => {
  if (axes === 'ndim') return convOnly && p.dims.length <= 3 ? undefined : axisZero(p)
  if (convOnly && p.role !== 'conv' && p.role !== 'conv-transpose') return undefined
  return p.role === 'embedding' && embeddings ? axisZero(p) : unitsOf(p)
}

/** Where each unit is a run of elements. */
const centreRuns = loop(['u'], [], ({ u }) => ({ u: sub(u, mean(u)) }))

/** Where units stand side by side in every row: the mean of each column or run of columns, taken from some rows at a time. */
const centreColumns = (u: Float32Array, { blocks, outer, units, inner }: Units): void => {
  const width = units * inner
  const rows = Math.min(outer, Math.ceil(4096 / width))
  const means = new Float32Array(rows * width)
  for (let b = 0; b < blocks; b++) {
    const block = u.subarray(b * outer * width, (b + 1) * outer * width)
    const sums = columnSums(block, width)
    for (let at = 0; at < width; at += inner) {
      let sum = 0
      for (let i = at; i < at + inner; i++) sum += sums[i]!
      means.fill(sum / (outer * inner), at, at + inner)
    }
    for (let row = 1; row < rows; row++) means.copyWithin(row * width, 0, width)
    for (let at = 0; at < block.length; at += means.length) {
      const some = block.subarray(at, at + means.length)
      subtract({ u: some, means: means.subarray(0, some.length) }, {})
    }
  }
}

const subtract = loop(['u', 'means'], [], ({ u, means }) => ({ u: sub(u, means) }))

/** Four rows at a time: the sums are fetched and stored a quarter as often. */
const columnSums = (u: Float32Array, width: number): Float64Array => {
  const sums = new Float64Array(width)
  let at = 0
  for (; at + 4 * width <= u.length; at += 4 * width) {
    const [second, third, fourth] = [at + width, at + 2 * width, at + 3 * width]
    for (let i = 0; i < width; i++) sums[i]! += u[at + i]! + u[second + i]! + (u[third + i]! + u[fourth + i]!)
  }
  for (; at < u.length; at += width) for (let i = 0; i < width; i++) sums[i]! += u[at + i]!
  return sums
}

/** ‖removed‖² ÷ ‖gradient‖², where ‖removed‖² is Σ over units of n·mean². */
const report = (site: Site, units: Units): void => {
  const before = norm2(site.update)
  const copy = site.update.slice()
  centreColumns(copy, units)
  site.emit?.({
    type: 'centralization',
    parameter: site.parameter.name,
    share: before > 0 ? Math.max(0, 1 - norm2(copy) / before) : 0,
  })
}

const norm2 = (values: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2
  return sum
}
