import { float32, int64, type Tensor } from '../../base/index.ts'
import { float } from '../../onnx/index.ts'
import type { OperatorCase } from './types.ts'

const ints = (...values: number[]): Tensor => int64([values.length], values)

const crop = (name: string, X: readonly number[], shape: Tensor, axes?: number[]): OperatorCase => ({
  op: 'CenterCropPad',
  name,
  inputs: { X, shape },
  attributes: axes ? { axes } : {},
  opset: 18,
})

const columns = (name: string, X: readonly number[], image: Tensor, block: Tensor, attributes = {}): OperatorCase => ({
  op: 'Col2Im',
  name,
  inputs: { X, image, block },
  attributes,
  opset: 18,
})

export const imageCases: readonly OperatorCase[] = [
  crop('cropped and padded', [5, 2], ints(2, 5)),
  crop('the other parities', [6, 3, 4], ints(3, 6, 4)),
  crop('given axes', [2, 3, 4, 5], ints(5, 2), [-2, 3]),
  columns('side by side', [2, 8, 4], ints(4, 4), ints(2, 2), { strides: [2, 2] }),
  columns('overlapping, padded', [1, 4, 16], ints(3, 3), ints(2, 2), { pads: [1, 1, 1, 1] }),
  columns('dilated, uneven', [1, 6, 4], ints(4, 5), ints(2, 3), {
    dilations: [2, 1],
    strides: [1, 2],
    pads: [0, 0, 0, 0],
  }),
  columns('one axis', [1, 3, 4], ints(6), ints(3)),
  ...[0, 1].flatMap((align_corners): OperatorCase[] => [
    {
      op: 'AffineGrid',
      name: `images, align_corners ${align_corners}`,
      inputs: { theta: [2, 2, 3], size: ints(2, 1, 3, 4) },
      attributes: { align_corners },
      opset: 20,
    },
    {
      op: 'AffineGrid',
      name: `volumes, align_corners ${align_corners}`,
      inputs: { theta: [1, 3, 4], size: ints(1, 1, 2, 3, 2) },
      attributes: { align_corners },
      opset: 20,
    },
  ]),
]

const indices = (dims: readonly number[], ...values: number[]): Tensor => int64(dims, values)

export const unpoolCases: readonly OperatorCase[] = [
  {
    op: 'MaxUnpool',
    name: 'tiles',
    inputs: { X: [1, 2, 2, 2], I: indices([1, 2, 2, 2], 0, 6, 9, 15, 17, 18, 28, 27) },
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  },
  {
    op: 'MaxUnpool',
    name: 'a given shape',
    inputs: { X: [1, 1, 2, 2], I: indices([1, 1, 2, 2], 0, 7, 11, 24), shape: ints(1, 1, 5, 5) },
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  },
  {
    op: 'MaxUnpool',
    name: 'one axis',
    inputs: { X: [1, 1, 3], I: indices([1, 1, 3], 1, 2, 5) },
    attributes: { kernel_shape: [2], strides: [2] },
  },
]

/** Regions of two images: some across the edge, one a single point wide. */
const rois = { dims: [4, 4], values: [0, 0, 3, 3, 1.2, 0.3, 4, 4.1, 0.5, 1, 2, 5.7, -1, -2, 1, 2] }

const align = (mode: string, name: string, attributes: Record<string, number | string>, opset = 16): OperatorCase => ({
  op: 'RoiAlign',
  name: `${mode}, ${name}`,
  inputs: { X: [2, 2, 6, 5], rois, images: ints(0, 1, 1, 0) },
  attributes: { mode, output_height: 2, output_width: 3, ...attributes },
  checked: ['X'],
  opset,
})

const pool = (name: string, regions: Tensor, scale: number): OperatorCase => ({
  op: 'MaxRoiPool',
  name,
  inputs: { X: { dims: [2, 2, 5, 6], apart: 0.1 }, rois: regions },
  attributes: { pooled_shape: [2, 3], spatial_scale: float(scale) },
})

export const regionCases: readonly OperatorCase[] = [
  ...['avg', 'max'].flatMap((mode) => [
    align(mode, 'two samples', { sampling_ratio: 2 }),
    align(mode, 'as many samples as pixels', {}),
    align(mode, 'output_half_pixel', { sampling_ratio: 1, coordinate_transformation_mode: 'output_half_pixel' }),
  ]),
  {
    ...align('avg', 'opset 10', { sampling_ratio: 2 }, 10),
    attributes: { output_height: 2, output_width: 2, sampling_ratio: 2, spatial_scale: float(0.5) },
  },
  pool('whole and part', float32([3, 5], [0, 0, 0, 5, 4, 1, 1, 1, 4, 3, 1, 2, 0, 2, 0]), 1),
  pool('scaled, across the edge', float32([2, 5], [1, 2, 2, 14, 9, 0, -4, -2, 6, 5]), 0.5),
]
