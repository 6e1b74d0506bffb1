import { float32, int64, type Tensor } from '../../base/index.ts'
import { float } from '../../onnx/index.ts'
import type { OperatorCase } from './types.ts'

const floats = (...values: number[]): Tensor => float32([values.length], values)
const ints = (...values: number[]): Tensor => int64([values.length], values)

type Attributes = NonNullable<OperatorCase['attributes']>

const byScale = (
  name: string,
  X: readonly number[],
  scales: number[],
  attributes: Attributes = {},
  opset = 18,
): OperatorCase => ({
  op: 'Resize',
  name,
  inputs: { X, roi: undefined, scales: floats(...scales) },
  attributes,
  opset,
})

const bySize = (
  name: string,
  X: readonly number[],
  sizes: number[],
  attributes: Attributes = {},
  opset = 18,
): OperatorCase => ({
  op: 'Resize',
  name,
  inputs: { X, roi: undefined, scales: undefined, sizes: ints(...sizes) },
  attributes,
  opset,
})

const images = [1, 2, 4, 3] as const

const placements: Attributes[] = [
  { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  { mode: 'nearest', coordinate_transformation_mode: 'half_pixel', nearest_mode: 'ceil' },
  { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
  { mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' },
  { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  { mode: 'linear', coordinate_transformation_mode: 'asymmetric' },
  { mode: 'cubic', coordinate_transformation_mode: 'half_pixel' },
  { mode: 'cubic', coordinate_transformation_mode: 'align_corners', cubic_coeff_a: float(-0.5), exclude_outside: 1 },
]

const named = (attributes: Attributes) =>
  Object.values(attributes)
    .filter((value) => typeof value === 'string')
    .join(' ')

export const resizeCases: readonly OperatorCase[] = [
  ...placements.flatMap((attributes) => [
    byScale(`${named(attributes)}, doubled`, images, [1, 1, 2, 2], attributes),
    bySize(`${named(attributes)}, odd sizes`, images, [1, 2, 7, 2], attributes),
  ]),
  byScale('nearest, repeated', images, [1, 1, 3, 2]),
  byScale('linear, uneven scale', images, [1, 1, 1.6, 0.7], { mode: 'linear' }, 13),
  byScale('linear with antialiasing', [1, 1, 6, 4], [1, 1, 0.5, 0.5], { mode: 'linear', antialias: 1 }),
  bySize('given axes', images, [6, 8], { mode: 'linear', axes: [3, 2] }),
  {
    op: 'Resize',
    name: 'a cropped region',
    inputs: { X: images, roi: floats(0, 0, 0.2, 0.1, 1, 1, 0.9, 1.3), scales: undefined, sizes: ints(1, 2, 3, 5) },
    attributes: { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize', extrapolation_value: float(2) },
    opset: 13,
  },
  {
    op: 'Resize',
    name: 'opset 10',
    inputs: { X: images, scales: floats(1, 1, 2, 2) },
    attributes: { mode: 'linear' },
    opset: 10,
  },
  { op: 'Upsample', name: 'nearest', inputs: { X: images, scales: floats(1, 1, 2, 2) }, opset: 9 },
  {
    op: 'Upsample',
    name: 'linear',
    inputs: { X: images, scales: floats(1, 1, 2, 3) },
    attributes: { mode: 'linear' },
    opset: 9,
  },
]

const bytes = (dims: readonly number[]): Tensor => ({
  type: 'int8',
  dims,
  bytes: Uint8Array.from({ length: dims.reduce((n, dim) => n * dim, 1) }, (_, i) => (37 * i) % 251),
})

export const quantizeCases: readonly OperatorCase[] = [
  { op: 'DequantizeLinear', name: 'one scale', inputs: { q: bytes([2, 3]), scale: [] } },
  {
    op: 'DequantizeLinear',
    name: 'a scale per channel',
    inputs: { q: bytes([2, 3, 2]), scale: [3], zero: bytes([3]) },
  },
  { op: 'DequantizeLinear', name: 'axis 0', inputs: { q: bytes([3, 2]), scale: [3] }, attributes: { axis: 0 } },
  {
    op: 'DequantizeLinear',
    name: 'a scale per block',
    inputs: { q: bytes([2, 6, 2]), scale: [2, 3, 2], zero: bytes([2, 3, 2]) },
    attributes: { axis: 1, block_size: 2 },
    opset: 21,
  },
]

/** Positions between pixels and beyond the edges, away from where linear weights bend and the nearest pixel changes. */
const between = [0.3, 1.7, -0.7, 2.3, 0.75, -1.75, 3.25, 4.3, 1.2, 2.7, -0.3, 0.2]

/** A grid that reads `sizes` (depth, height, width) at such positions. */
const grid = (dims: readonly number[], sizes: readonly number[], aligned: number) => ({
  dims,
  values: Array.from({ length: dims.reduce((n, dim) => n * dim, 1) }, (_, i) => {
    const size = sizes[sizes.length - 1 - (i % sizes.length)]!
    const position = between[(5 * i) % between.length]!
    return aligned ? (2 * position) / (size - 1) - 1 : (2 * position + 1) / size - 1
  }),
})

const sample = (mode: string, padding_mode: string, align_corners: number): OperatorCase => ({
  op: 'GridSample',
  name: `${mode}, ${padding_mode}, align_corners ${align_corners}`,
  inputs: { X: [2, 2, 3, 4], grid: grid([2, 2, 3, 2], [3, 4], align_corners) },
  attributes: { mode, padding_mode, align_corners },
  opset: 16,
})

export const gridSampleCases: readonly OperatorCase[] = [
  ...['bilinear', 'nearest', 'bicubic'].flatMap((mode) =>
    ['zeros', 'border', 'reflection'].flatMap((padding) => [0, 1].map((aligned) => sample(mode, padding, aligned))),
  ),
  {
    op: 'GridSample',
    name: 'opset 20',
    inputs: { X: [1, 2, 3, 4], grid: grid([1, 2, 2, 2], [3, 4], 0) },
    opset: 20,
  },
  {
    op: 'GridSample',
    name: 'volumes',
    inputs: { X: [1, 2, 2, 3, 2], grid: grid([1, 2, 1, 2, 3], [2, 3, 2], 0) },
    opset: 20,
  },
]
