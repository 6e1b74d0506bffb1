import { sizeOf } from '../../base/index.ts'
import { intOf } from '../../onnx/index.ts'
import { calculator } from '../calculator.ts'
import { hasInput, inputOf, outputOf, range, reshape, split, tensorLike, unsupported } from '../helpers.ts'
import type { Lowering } from '../types.ts'
import { offsetsOf, windowsOf } from '../windows.ts'

/**
 * A convolution whose taps are moved by offsets and weighed by a mask (Dai et al. 2017; Zhu et al. 2019): the image sampled
 * at every tap of every window, then one product. GridSample takes positions p as (2p + 1)/size − 1 and, like this operator,
 * gives 0 outside.
 */
const lower: Lowering = (e) => {
  const { node } = e
  const [x, w, offset, y] = [inputOf(node, 0), inputOf(node, 1), inputOf(node, 2), outputOf(node, 0)]
  const [n = 0, channels = 0, ...image] = e.dims(x)
  const [outputs = 0, , ...kernel] = e.dims(w)
  const out = e.dims(y).slice(2)
  if (image.length !== 2) throw unsupported(node, 'only images have a gradient', 'use two spatial axes')
  const [groups, offsetGroups] = [intOf(node, 'group', 1), intOf(node, 'offset_group', 1)]
  const { strides, dilations, begin } = windowsOf(node, kernel, image)
  const [taps, pixels] = [sizeOf(kernel), sizeOf(out)]
  const c = calculator(e, x)

  // [n·groups, taps, 2, h, w]: where each tap would look, and how far it is moved.
  const resting = offsetsOf(kernel).flatMap((tap) =>
    range(0, 2).flatMap((axis) =>
      offsetsOf(out).map((p) => p[axis]! * strides[axis]! + tap[axis]! * dilations[axis]! - begin[axis]!),
    ),
  )
  const base = e.b.constant(tensorLike(e.type(x), [1, taps, 2, ...out], resting))
  const moved = c.add(reshape(e, offset, [n * offsetGroups, taps, 2, ...out]), base)
  const coordinates = split(e, moved, 2, [1, 1]).map((position, axis) =>
    reshape(e, c.sub(c.div(c.add(c.mul(position, 2), 1), image[axis]!), 1), [
      n * offsetGroups,
      taps * out[0]!,
      out[1]!,
      1,
    ]),
  )
  const grid = e.b.op('Concat', coordinates.reverse(), { axis: 3 })
  const per = channels / offsetGroups
  const sampled = e.b.op('GridSample', [reshape(e, x, [n * offsetGroups, per, ...image]), grid])
  const apart = reshape(e, sampled, [n, offsetGroups, per, taps, pixels])
  const weighed = hasInput(node, 4)
    ? c.mul(apart, reshape(e, inputOf(node, 4), [n, offsetGroups, 1, taps, pixels]))
    : apart
  const columns = reshape(e, weighed, [n, groups, (channels / groups) * taps, pixels])
  const rows = reshape(e, w, [groups, outputs / groups, (channels / groups) * taps])
  const product = reshape(e, e.b.op('MatMul', [rows, columns]), [n, outputs, ...out])
  return [hasInput(node, 3) ? c.add(product, reshape(e, inputOf(node, 3), [outputs, 1, 1])) : product]
}

export const deformConv = { DeformConv: lower } satisfies Record<string, Lowering>
