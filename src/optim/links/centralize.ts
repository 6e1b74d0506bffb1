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
  update(site) {
    const units = unitsFor(site.parameter, options)
    if (!units) return
    if (site.emit) report(site, units)
    if (units.outer === 1) centreRows(site.update, units.inner)
    else centreColumns(site.update, units)
  },
})

const unitsFor = (p: Parameter, { convOnly = false, embeddings = false, axes = 'role' }: CentralizeOptions) => {
  if (axes === 'ndim') return convOnly && p.dims.length <= 3 ? undefined : axisZero(p)
  if (convOnly && p.role !== 'conv' && p.role !== 'conv-transpose') return undefined
  return p.role === 'embedding' && embeddings ? axisZero(p) : unitsOf(p)
}

/** Each unit is a run of n elements. */
const centreRows = (u: Float32Array, n: number): void => {
  for (let start = 0; start < u.length; start += n) {
    const end = start + n
    let sum = 0
    for (let i = start; i < end; i++) sum += u[i]!
    const mean = sum / n
    for (let i = start; i < end; i++) u[i]! -= mean
  }
}

/** A unit's runs are spread over `outer` rows: sum them all, then subtract. */
const centreColumns = (u: Float32Array, { blocks, outer, units, inner }: Units): void => {
  const means = new Float64Array(units)
  const row = units * inner
  for (let b = 0; b < blocks; b++) {
    means.fill(0)
    const start = b * outer * row
    for (let at = start, o = 0; o < outer; o++)
      for (let k = 0; k < units; k++) for (let i = 0; i < inner; i++) means[k]! += u[at++]!
    for (let k = 0; k < units; k++) means[k]! /= outer * inner
    for (let at = start, o = 0; o < outer; o++)
      for (let k = 0; k < units; k++) {
        const mean = means[k]!
        for (let i = 0; i < inner; i++) u[at++]! -= mean
      }
  }
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
