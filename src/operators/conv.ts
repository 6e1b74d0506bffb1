import { sizeOf } from '../base/index.ts'
import { attribute, intOf } from '../onnx/index.ts'
import { type Convolution, inputGradient } from './convolution.ts'
import { weightGradient } from './convolution-weight.ts'
import { at, freezeAxes, hasInput, inputOf, outputOf, range, sum } from './helpers.ts'
import { convSizes, convTransposeSizes } from './sizes/layers.ts'
import type { AxisContext, GradientContext, NodeContext, Operator, ResizeContext } from './types.ts'
import { transposedWindowsOf, windowsOf } from './windows.ts'

const neighbours = 'a convolution reads neighbouring positions'

/** ∂L/∂bias[o] = Σ_{n,p} ∂L/∂y[n,o,p]. */
const biasGradient = (g: GradientContext, dy: string) =>
  sum(g, dy, [0, ...range(2, g.dims(outputOf(g.node, 0)).length)])

/** The convolution a Conv node computes. */
export const convolutionOf = (c: NodeContext): Convolution => {
  const [x, w, y] = [c.dims(inputOf(c.node, 0)), c.dims(inputOf(c.node, 1)), c.dims(outputOf(c.node, 0))]
  return { windows: windowsOf(c.node, w.slice(2), x.slice(2)), groups: intOf(c.node, 'group', 1), x, y }
}

/** The convolution whose transpose this node is: its x is the node's output and its y the node's input. */
const transposedOf = (c: NodeContext): Convolution => {
  const [y, w, x] = [c.dims(inputOf(c.node, 0)), c.dims(inputOf(c.node, 1)), c.dims(outputOf(c.node, 0))]
  const windows = transposedWindowsOf(c.node, w.slice(2), y.slice(2), x.slice(2))
  return { windows, groups: intOf(c.node, 'group', 1), x, y }
}

/**
 * Batch passes; positions freeze. Channels, W being [rows, columns/groups, …]: a dense kernel ties its rows to one side and
 * its columns to the other. Depthwise (one input channel a group), a channel is a unit together with the outputs made from
 * it alone, and its group goes with it. Wider groups can be read in two ways: each keeps the same number of channels, so
 * that position j is one unit in all of them; or a group is a unit, and goes whole. The reading of more units comes first.
 * The kernel and the biases are the inputs at the positions given.
 */
export const convAxes = (a: AxisContext, transposed = false, kernel = 1, biases = 2): void => {
  const [x, w, y] = [inputOf(a.node, 0), inputOf(a.node, kernel), outputOf(a.node, 0)]
  const bias = hasInput(a.node, biases) ? inputOf(a.node, biases) : undefined
  const groups = intOf(a.node, 'group', 1)
  const [channels, outputs] = [a.dims(x)[1]!, a.dims(y)[1]!]
  const [per, made] = [channels / groups, outputs / groups]
  const [rows, columns] = transposed ? [x, y] : [y, x]

  a.join(at(x, 0), at(y, 0))
  for (const value of [x, w, y]) freezeAxes(a, value, neighbours, range(2, a.dims(value).length))
  if (bias !== undefined) a.join(at(bias, 0), at(y, 1))
  a.join(at(w, 0), at(rows, 1))
  if (groups === 1) {
    a.join(at(w, 1), at(columns, 1))
    return
  }

  const axes = [at(x, 1), at(y, 1)]
  const wholeGroups = () => {
    for (const i of range(0, channels)) a.joinAt({ ...at(x, 1), at: i }, { ...at(x, 1), at: i - (i % per) })
    for (const o of range(0, outputs)) a.joinAt({ ...at(y, 1), at: o }, { ...at(x, 1), at: Math.floor(o / made) * per })
    a.freeze(at(w, 1), 'every group of a convolution has the same number of channels')
  }
  const samePositions = () => {
    for (const i of range(0, channels)) a.joinAt({ ...at(x, 1), at: i }, { ...at(x, 1), at: i % per })
    for (const o of range(0, outputs)) a.joinAt({ ...at(y, 1), at: o }, { ...at(y, 1), at: o % made })
    const size = a.dims(columns)[1]! / groups
    for (const j of range(0, size)) a.joinAt({ ...at(w, 1), at: j }, { ...at(columns, 1), at: j })
  }
  if (per === 1) wholeGroups()
  else {
    const readings = [
      { axes, state: samePositions },
      { axes, state: wholeGroups },
    ]
    if (groups > Math.max(per, made)) readings.reverse()
    if (a.choose) a.choose(readings)
    else readings[0]!.state()
  }
}

/** Each output adds up one product per kernel tap and input channel of its group. */
export const convMacs = (m: NodeContext, kernel = 1): number =>
  sizeOf(m.dims(outputOf(m.node, 0))) * sizeOf(m.dims(inputOf(m.node, kernel)).slice(1))

/** Groups none of whose channels are left are gone; groups that only became narrower all stay. */
export const resizeGroups = (r: ResizeContext): void => {
  const x = inputOf(r.node, 0)
  const groups = intOf(r.node, 'group', 1)
  const per = r.dims(x)[1]! / groups
  const kept = r.kept(at(x, 1))
  if (groups === 1 || kept === undefined) return
  const left = new Set(kept.map((i) => Math.floor(i / per))).size
  if (left < groups) r.node.attributes.set('group', attribute(left))
}

export const conv = {
  Conv: {
    // The derivatives of the linear map x ∗ w + b by each of its arguments (Dumoulin and Visin 2016, §4).
    gradient: (g) => {
      const dy = g.grads[0]
      if (dy === undefined) return []
      const c = convolutionOf(g)
      return [
        g.wants(0) ? inputGradient(g, c, dy, inputOf(g.node, 1)) : undefined,
        g.wants(1) ? weightGradient(g, c, inputOf(g.node, 0), dy) : undefined,
        hasInput(g.node, 2) && g.wants(2) ? biasGradient(g, dy) : undefined,
      ]
    },
    axes: (a) => convAxes(a),
    macs: (m) => convMacs(m),
    resize: resizeGroups,
    sizes: convSizes(),
  },

  ConvTranspose: {
    // y = Cᵀx where C is the convolution with the same kernel: ∂L/∂x = C ∂L/∂y, and since ⟨∂L/∂y, Cᵀx⟩ = ⟨C ∂L/∂y, x⟩,
    // ∂L/∂w is C's weight gradient with ∂L/∂y as its input and x as its output's gradient.
    gradient: (g) => {
      const dy = g.grads[0]
      if (dy === undefined) return []
      const c = transposedOf(g)
      return [
        g.wants(0) ? forward(g, c, dy) : undefined,
        g.wants(1) ? weightGradient(g, c, dy, inputOf(g.node, 0)) : undefined,
        hasInput(g.node, 2) && g.wants(2) ? biasGradient(g, dy) : undefined,
      ]
    },
    axes: (a) => convAxes(a, true),
    // Each input is spread over every kernel tap and output channel of its group.
    macs: (m) => sizeOf(m.dims(inputOf(m.node, 0))) * sizeOf(m.dims(inputOf(m.node, 1)).slice(1)),
    resize: resizeGroups,
    sizes: convTransposeSizes,
  },
} satisfies Record<string, Operator>

/** C ∂L/∂y. The engine takes no output padding of a stride or more, so it has x's size as it is. */
const forward = (g: GradientContext, c: Convolution, dy: string): string => {
  const { kernel, strides, dilations, begin, end } = c.windows
  return g.b.op('Conv', [dy, inputOf(g.node, 1)], {
    kernel_shape: kernel,
    strides,
    dilations,
    group: c.groups,
    pads: [...begin, ...end],
  })
}
