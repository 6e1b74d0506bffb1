import { sizeOf } from '../base/index.ts'
import type { Convolution } from './convolution.ts'
import { padZeros, range, reshape, slice, transpose } from './helpers.ts'
import type { GradientContext } from './types.ts'

/**
 * A strided convolution is one of stride 1 over the phases of x, its every s-th position, taken as channels: tap k reads
 *   p·s + t,  t = k·d − pad = m·s + φ,  0 ≤ φ < s:   position p + m of phase φ.
 * An axis with a single tap needs one phase only, which is cut out instead.
 */
export type Phases = {
  /** The convolution of stride 1. */
  readonly plain: Convolution
  readonly axes: readonly PhasedAxis[]
}

type PhasedAxis = {
  /** Phases that become channels; 1 where nothing does. */
  readonly phases: number
  /** x' are the positions start, start + step, …, `size` of them for each phase. */
  readonly start: number
  readonly step: number
  readonly size: number
  /** Of the taps of the convolution over phases, the first and every d-th after it are the kernel's. */
  readonly lead: number
  readonly kernel: number
  readonly dilation: number
  readonly begin: number
}

/** The convolution of stride 1 that a convolution is; of one group. */
export const phasesOf = (c: Convolution): Phases => {
  const axes = c.windows.kernel.map((_, axis) => phasedAxis(c, axis))
  const y = c.y.slice(2)
  const kernel = axes.map((a) => a.kernel)
  const windows = {
    kernel,
    strides: axes.map(() => 1),
    dilations: axes.map((a) => a.dilation),
    begin: axes.map((a) => a.begin),
    // y = x + begin + end − (kernel − 1)·d, so that nothing is left over.
    end: axes.map((a, i) => y[i]! + (a.kernel - 1) * a.dilation - a.size - a.begin),
  }
  const channels = c.x[1]! * sizeOf(axes.map((a) => a.phases))
  return { axes, plain: { windows, groups: 1, x: [c.x[0]!, channels, ...axes.map((a) => a.size)], y: c.y } }
}

const phasedAxis = ({ windows, x }: Convolution, axis: number): PhasedAxis => {
  const [kernel, stride] = [windows.kernel[axis]!, windows.strides[axis]!]
  const [dilation, begin, size] = [windows.dilations[axis]!, windows.begin[axis]!, x[axis + 2]!]
  if (stride === 1) return { phases: 1, start: 0, step: 1, size, lead: 0, kernel, dilation, begin }
  if (kernel === 1) {
    const skipped = Math.ceil(begin / stride)
    const start = skipped * stride - begin
    const found = Math.max(Math.ceil((size - start) / stride), 0)
    return { phases: 1, start, step: stride, size: found, lead: 0, kernel, dilation: 1, begin: skipped }
  }
  const first = Math.floor(-begin / stride)
  const last = Math.floor(((kernel - 1) * dilation - begin) / stride)
  const phased = { phases: stride, start: 0, step: stride, size: Math.ceil(size / stride) }
  return { ...phased, lead: -begin - first * stride, kernel: last - first + 1, dilation: 1, begin: -first }
}

/** x [N, C, in…] as [N, (phases, C), in′…]. */
export const toPhases = (g: GradientContext, c: Convolution, { plain, axes }: Phases, x: string): string => {
  const [n, channels] = c.x
  const kept = everyStep(g, axes, x)
  if (axes.every((a) => a.phases === 1)) return kept
  const missing = axes.map((a, i) => (a.phases === 1 ? 0 : a.size * a.phases - c.x[i + 2]!))
  const whole = padZeros(g, kept, [0, 0, ...missing.map(() => 0)], [0, 0, ...missing])
  const [phases] = axes.map((a) => a.phases)
  if (axes.length === 2 && axes.every((a) => a.phases === phases))
    return g.b.op('SpaceToDepth', [whole], { blocksize: phases! })
  const apart = reshape(g, whole, [n!, channels!, ...axes.flatMap((a) => [a.size, a.phases])])
  const spatial = range(0, axes.length)
  const moved = transpose(g, apart, [0, ...spatial.map((i) => 2 * i + 3), 1, ...spatial.map((i) => 2 * i + 2)])
  return reshape(g, moved, plain.x)
}

/**
 * The one phase there is of axes that need no other. A pool of one position does what Slice does, which copies strided
 * numbers one by one on one core: four times as long.
 */
const everyStep = (g: GradientContext, axes: readonly PhasedAxis[], x: string): string => {
  const cut = axes.map((a, i) => ({ ...a, axis: i + 2 })).filter((a) => a.phases === 1 && a.step > 1)
  if (cut.length === 0) return x
  // ONNX Runtime pools along three axes at most.
  if (axes.length <= 3 && axes.every((a) => a.phases === 1 && a.start === 0))
    return g.b.op('MaxPool', [x], { kernel_shape: axes.map(() => 1), strides: axes.map((a) => a.step) })
  return slice(g, x, {
    axes: cut.map((a) => a.axis),
    starts: cut.map((a) => a.start),
    ends: cut.map((a) => a.start + (a.size - 1) * a.step + 1),
    steps: cut.map((a) => a.step),
  })
}

/** Kernels over phases, [O, (phases, C), kernel′…], as the kernels they stand for, [O, C, kernel…]. */
export const fromPhases = (g: GradientContext, c: Convolution, { axes }: Phases, w: string): string => {
  if (axes.every((a) => a.phases === 1)) return w
  const [outputs, channels, count] = [c.y[1]!, c.x[1]!, axes.length]
  const apart = reshape(g, w, [outputs, ...axes.map((a) => a.phases), channels, ...axes.map((a) => a.kernel)])
  // The taps of axis i: position m along the axis, then phase.
  const taps = range(0, count).flatMap((i) => [count + 2 + i, 1 + i])
  const inOrder = transpose(g, apart, [0, count + 1, ...taps])
  const row = reshape(g, inOrder, [outputs, channels, ...axes.map((a) => a.kernel * a.phases)])
  const phased = axes.flatMap((a, i) => (a.phases === 1 ? [] : [{ ...a, axis: i }]))
  const { kernel, dilations } = c.windows
  return slice(g, row, {
    axes: phased.map((a) => a.axis + 2),
    starts: phased.map((a) => a.lead),
    ends: phased.map((a) => a.lead + (kernel[a.axis]! - 1) * dilations[a.axis]! + 1),
    steps: phased.map((a) => dilations[a.axis]!),
  })
}
