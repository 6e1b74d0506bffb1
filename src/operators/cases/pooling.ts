import type { OperatorCase } from './types.ts'

type Attributes = NonNullable<OperatorCase['attributes']>

const max = (name: string, dims: readonly number[], attributes: Attributes, opset = 17): OperatorCase => ({
  op: 'MaxPool',
  name,
  inputs: { X: { dims, apart: 0.5 } },
  attributes,
  opset,
})

const pool = (
  op: string,
  name: string,
  dims: readonly number[],
  attributes: Attributes = {},
  opset = 17,
): OperatorCase => ({
  op,
  name,
  inputs: { X: dims },
  attributes,
  opset,
})

const average = (name: string, dims: readonly number[], attributes: Attributes, opset = 17) =>
  pool('AveragePool', name, dims, attributes, opset)

const lp = (name: string, dims: readonly number[], attributes: Attributes, opset = 18): OperatorCase => ({
  op: 'LpPool',
  name,
  inputs: { X: { dims, apart: 0.3 } },
  attributes,
  opset,
})

/** Window combinations every pool must survive. */
const windows: readonly (readonly [string, readonly number[], Attributes])[] = [
  ['2×2, stride 2', [2, 2, 4, 6], { kernel_shape: [2, 2], strides: [2, 2] }],
  ['2×2, stride 2, one left over', [1, 2, 5, 7], { kernel_shape: [2, 2], strides: [2, 2] }],
  ['3×3, stride 3', [1, 2, 6, 7], { kernel_shape: [3, 3], strides: [3, 3] }],
  ['2×3, stride 2×3', [1, 2, 4, 6], { kernel_shape: [2, 3], strides: [2, 3] }],
  ['3×3, stride 2, pads 1', [1, 2, 6, 5], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  ['3×2, stride 1', [1, 2, 4, 4], { kernel_shape: [3, 2] }],
  ['2×2, stride 3', [1, 2, 5, 7], { kernel_shape: [2, 2], strides: [3, 3] }],
  ['pads that differ', [1, 1, 4, 4], { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 1, 2, 1] }],
  ['ceil_mode', [1, 2, 5, 6], { kernel_shape: [2, 3], strides: [2, 2], ceil_mode: 1 }],
  ['ceil_mode, tiles', [1, 2, 5, 5], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }],
  ['ceil_mode, pads 1', [1, 1, 6, 6], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 }],
  ['SAME_UPPER', [1, 1, 5, 6], { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' }],
  ['SAME_LOWER', [1, 1, 5, 6], { kernel_shape: [2, 2], strides: [2, 2], auto_pad: 'SAME_LOWER' }],
  ['VALID', [1, 1, 5, 6], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: 'VALID' }],
  ['1-D', [2, 2, 7], { kernel_shape: [3], strides: [2] }],
  ['1-D, tiles', [2, 2, 7], { kernel_shape: [2], strides: [2] }],
  ['3-D', [1, 2, 3, 4, 4], { kernel_shape: [2, 2, 2], strides: [1, 2, 2] }],
  ['3-D, tiles', [1, 1, 2, 4, 4], { kernel_shape: [2, 2, 2], strides: [2, 2, 2] }],
]

export const poolingCases: readonly OperatorCase[] = [
  ...windows.map(([name, dims, attributes]) => max(name, dims, attributes)),
  max('dilation 2', [1, 2, 6, 6], { kernel_shape: [2, 3], dilations: [2, 2] }),
  max('dilation 2, stride 3', [1, 2, 8, 8], { kernel_shape: [2, 2], dilations: [2, 2], strides: [3, 3] }),
  max('dilation 2, pads', [1, 1, 6, 6], {
    kernel_shape: [2, 2],
    dilations: [2, 2],
    strides: [2, 1],
    pads: [1, 1, 1, 1],
  }),
  max('column-major indices', [1, 2, 4, 4], { kernel_shape: [3, 3], storage_order: 1 }),
  { ...max('with its indices', [1, 2, 4, 4], { kernel_shape: [3, 3] }), outputs: 2 },
  ...windows.map(([name, dims, attributes]) => average(name, dims, attributes)),
  average('padding counted', [1, 2, 5, 5], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    count_include_pad: 1,
  }),
  average(
    'padding counted, ceil_mode',
    [1, 1, 6, 6],
    {
      kernel_shape: [3, 3],
      strides: [2, 2],
      pads: [1, 1, 1, 1],
      count_include_pad: 1,
      ceil_mode: 1,
    },
    19,
  ),
  average('dilation 2', [1, 1, 6, 6], { kernel_shape: [2, 3], dilations: [2, 2], pads: [1, 1, 1, 1] }, 19),
  ...windows.map(([name, dims, attributes]) => lp(name, dims, attributes)),
  lp('p 1', [1, 2, 4, 5], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], p: 1 }),
  lp('p 3', [1, 2, 4, 5], { kernel_shape: [2, 2], strides: [2, 2], p: 3 }),
  pool('GlobalAveragePool', '2-D', [2, 3, 3, 4]),
  pool('GlobalAveragePool', '1-D', [2, 3, 4]),
  { op: 'GlobalMaxPool', name: '2-D', inputs: { X: { dims: [2, 3, 3, 4], apart: 0.5 } } },
  { op: 'GlobalMaxPool', name: '1-D', inputs: { X: { dims: [2, 3, 4], apart: 0.5 } } },
  pool('GlobalLpPool', 'p 2', [2, 2, 3, 2]),
  { op: 'GlobalLpPool', name: 'p 1', inputs: { X: { dims: [2, 2, 3, 2], apart: 0.5 } }, attributes: { p: 1 } },
  { op: 'GlobalLpPool', name: 'p 3', inputs: { X: { dims: [2, 2, 3, 2], apart: 0.3 } }, attributes: { p: 3 } },
]
