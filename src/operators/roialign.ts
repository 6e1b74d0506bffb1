import { at, freezeAxes, inputOf, outputOf, range } from './helpers.ts'
import { type AxisRule, free, type Operator, unknown } from './types.ts'

/** Regions are picked by image number and coordinate; channels pass. */
const roiAlignAxes: AxisRule = (a) => {
  const [x, rois, images, y] = [inputOf(a.node, 0), inputOf(a.node, 1), inputOf(a.node, 2), outputOf(a.node, 0)]
  a.freeze(at(x, 0), 'RoiAlign picks images by number')
  a.join(at(x, 1), at(y, 1))
  for (const value of [x, y])
    freezeAxes(a, value, 'RoiAlign reads positions by coordinate', range(2, a.dims(value).length))
  for (const value of [rois, images]) a.join(at(value, 0), at(y, 0))
  freezeAxes(a, rois, 'holds coordinates', [1])
}

/** Regions of an image as small images of one size. */
export const roiAlign = {
  RoiAlign: { gradient: unknown, axes: roiAlignAxes, macs: free },
} satisfies Record<string, Operator>
