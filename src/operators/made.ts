import { int64, numbersOf } from '../base/index.ts'
import { intOf } from '../onnx/index.ts'
import { at, freezeAxes, gradOf, inputOf, outputOf, range, reshape, sum, tensorLike, varies } from './helpers.ts'
import { newSize } from './kept.ts'
import type { SizeContext } from './sizes/index.ts'
import { filledSizes, rangeSizes, shapeSizes, sizeSizes } from './sizes/layers.ts'
import { type AxisRule, free, type GradientRule, type Operator, type ResizeRule, stops } from './types.ts'

/**
 * Sizes go on into the graph as numbers, which would change with them. Where sizes are known in every run, one that never
 * varies is a constant of the model: the caller keeps it. `start` and `end` name a part, from opset 15.
 */
const shapeAxes: AxisRule = (a) => {
  const x = inputOf(a.node, 0)
  const read =
    a.node.opType === 'Shape'
      ? range(0, a.dims(x).length).slice(intOf(a.node, 'start', 0), intOf(a.node, 'end', undefined))
      : undefined
  for (const axis of a.dims(x).keys())
    if ((!read || read.includes(axis)) && (!a.sizes || varies(a, x, axis)))
      a.freeze(at(x, axis), `${a.node.opType} hands the size of the axis to other operators`)
    else a.join(at(x, axis), at(x, axis))
  freezeAxes(a, outputOf(a.node, 0), 'holds the sizes of axes')
}

/** Axes of made-up values: their sizes are written in the inputs. */
const madeAxes: AxisRule = (a) => {
  for (const value of [...a.node.inputs, ...a.node.outputs])
    if (value) freezeAxes(a, value, `${a.node.opType} makes its output from given sizes`)
}

/** Entries of the shape are rewritten like Expand's. */
const constantOfShapeAxes: AxisRule = (a) => {
  const [shape, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  freezeAxes(a, shape, 'holds the sizes of axes')
  for (const axis of a.dims(y).keys())
    if (varies(a, y, axis)) a.freeze(at(y, axis), 'ConstantOfShape makes as many indices as the run asks for')
    else a.join(at(y, axis), at(y, axis))
}

const resizeConstantOfShape: ResizeRule = (r) => {
  const y = outputOf(r.node, 0)
  const axes = [...r.dims(y).keys()]
  if (r.constant(inputOf(r.node, 0))) {
    if (axes.some((axis) => r.kept(at(y, axis)))) {
      const sizes = axes.map((axis) => newSize(r, y, axis))
      r.setConstant(0, int64([sizes.length], sizes))
    }
    return
  }
  const fixed = axes.filter((axis) => !varies(r, y, axis))
  r.setElements(0, new Map(fixed.map((axis) => [axis, newSize(r, y, axis)])))
}

/** ∂L/∂start = Σ dy, ∂L/∂delta = Σ i·dy; the limit decides only how many there are. */
const rangeGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const [start, delta] = [inputOf(g.node, 0), inputOf(g.node, 2)]
  const count = g.dims(outputOf(g.node, 0))[0]!
  const steps = () => g.b.op('Mul', [dy, g.b.constant(tensorLike(g.type(start), [count], range(0, count)))])
  const total = (value: string, like: string) => reshape(g, sum(g, value, [0]), g.dims(like))
  return [g.wants(0) ? total(dy, start) : undefined, undefined, g.wants(2) ? total(steps(), delta) : undefined]
}

/** The number that ConstantOfShape repeats; 0 where the node has none. */
const fillOf = ({ node }: SizeContext): number | undefined => {
  const value = node.attributes.get('value')
  if (value === undefined) return 0
  return value.type === 'TENSOR' ? numbersOf(value.value)[0] : undefined
}

const fromSizes: Operator = { gradient: stops, axes: madeAxes, macs: free }

/** Operators that turn sizes into values and values into sizes. */
export const made = {
  Shape: { gradient: stops, axes: shapeAxes, macs: free, sizes: shapeSizes },
  Size: { gradient: stops, axes: shapeAxes, macs: free, sizes: sizeSizes },
  ConstantOfShape: {
    gradient: stops,
    axes: constantOfShapeAxes,
    macs: free,
    resize: resizeConstantOfShape,
    sizes: filledSizes(fillOf),
  },
  Constant: fromSizes,
  // y_i = start + i·delta
  Range: { gradient: rangeGradient, axes: madeAxes, macs: free, sizes: rangeSizes },
  EyeLike: fromSizes,
  RandomNormal: fromSizes,
  RandomUniform: fromSizes,
  BlackmanWindow: fromSizes,
  HammingWindow: fromSizes,
  HannWindow: fromSizes,
  MelWeightMatrix: fromSizes,
} satisfies Record<string, Operator>
