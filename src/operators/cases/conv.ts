import type { OperatorCase } from './types.ts'

const conv = (
  name: string,
  x: readonly number[],
  w: readonly number[],
  attributes: NonNullable<OperatorCase['attributes']> = {},
  bias = true,
): OperatorCase => ({
  op: 'Conv',
  name,
  inputs: { X: x, W: w, B: bias ? [w[0]!] : undefined },
  attributes: { ...attributes },
})

const transposed = (
  name: string,
  x: readonly number[],
  w: readonly number[],
  attributes: NonNullable<OperatorCase['attributes']> = {},
  outputs?: number,
): OperatorCase => ({
  op: 'ConvTranspose',
  name,
  inputs: { X: x, W: w, B: outputs === undefined ? undefined : [outputs] },
  attributes: { ...attributes },
})

export const convCases: readonly OperatorCase[] = [
  conv('2-D', [2, 3, 5, 5], [4, 3, 3, 3]),
  conv('no bias, pads 1', [1, 2, 4, 4], [2, 2, 3, 3], { pads: [1, 1, 1, 1] }, false),
  conv('pads that differ', [1, 2, 4, 5], [2, 2, 3, 2], { pads: [0, 1, 2, 1] }),
  conv('pads past the kernel', [1, 1, 3, 3], [2, 1, 2, 2], { pads: [2, 2, 2, 2] }),
  conv('pointwise', [2, 3, 3, 3], [4, 3, 1, 1]),
  conv('pointwise, stride 2', [1, 3, 4, 5], [2, 3, 1, 1], { strides: [2, 2] }),
  conv('stride 2, nothing left over', [1, 2, 5, 5], [2, 2, 3, 3], { strides: [2, 2] }),
  conv('stride 2, one left over', [1, 2, 6, 6], [2, 2, 3, 3], { strides: [2, 2] }),
  conv('stride 3 and 2, pads 1', [1, 2, 7, 6], [2, 2, 3, 3], { strides: [3, 2], pads: [1, 1, 1, 1] }),
  conv('stride past the kernel', [1, 2, 8, 7], [2, 2, 2, 2], { strides: [3, 4] }),
  conv('stride 4, dilation 1, much left over', [1, 1, 7, 8], [2, 1, 1, 2], { strides: [4, 4] }),
  conv('dilation 2', [1, 2, 6, 6], [2, 2, 3, 2], { dilations: [2, 2] }),
  conv('dilation 2, stride 2, pads', [1, 2, 7, 8], [2, 2, 3, 3], {
    dilations: [2, 2],
    strides: [2, 3],
    pads: [2, 1, 1, 2],
  }),
  conv('two groups', [2, 4, 4, 4], [6, 2, 3, 3], { group: 2, pads: [1, 1, 1, 1] }),
  conv('four groups of two', [1, 8, 3, 3], [8, 2, 2, 2], { group: 4 }),
  conv('three groups, stride 2, dilation 2', [2, 3, 6, 7], [3, 1, 2, 2], {
    group: 3,
    strides: [2, 2],
    dilations: [2, 2],
  }),
  conv('depthwise', [2, 3, 4, 4], [3, 1, 3, 3], { group: 3, pads: [1, 1, 1, 1] }),
  conv('depthwise, two outputs a channel', [1, 3, 4, 4], [6, 1, 3, 3], {
    group: 3,
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  }),
  conv('SAME_UPPER', [1, 2, 5, 6], [2, 2, 3, 2], { auto_pad: 'SAME_UPPER', strides: [2, 2] }),
  conv('SAME_LOWER', [1, 2, 5, 6], [2, 2, 2, 4], { auto_pad: 'SAME_LOWER', strides: [1, 2] }),
  conv('VALID', [1, 2, 5, 6], [2, 2, 3, 2], { auto_pad: 'VALID', strides: [2, 2] }),
  conv('1-D', [2, 2, 7], [3, 2, 3], { pads: [1, 1], strides: [2] }),
  conv('1-D, groups, dilation', [2, 4, 7], [4, 2, 2], { group: 2, dilations: [3] }),
  conv('3-D', [1, 2, 3, 4, 3], [2, 2, 2, 2, 2], { pads: [0, 1, 0, 1, 0, 1], strides: [1, 2, 2] }),
  conv('3-D, depthwise', [1, 2, 3, 3, 3], [2, 1, 2, 2, 2], { group: 2 }),
  conv('many channels', [2, 16, 4, 4], [16, 16, 3, 3], { pads: [1, 1, 1, 1] }),
  transposed('2-D', [1, 2, 3, 3], [2, 3, 3, 3], {}, 3),
  transposed('stride 2', [2, 2, 3, 3], [2, 2, 2, 2], { strides: [2, 2] }, 2),
  transposed('stride 2, pads, output padding', [1, 2, 3, 4], [2, 3, 3, 3], {
    strides: [2, 3],
    pads: [1, 0, 1, 2],
    output_padding: [1, 2],
  }),
  transposed('dilation 2', [1, 2, 3, 3], [2, 2, 2, 3], { dilations: [2, 2], pads: [1, 1, 0, 0] }),
  transposed('two groups', [1, 4, 3, 3], [4, 3, 2, 2], { group: 2, strides: [2, 2] }, 6),
  transposed('depthwise', [1, 3, 3, 3], [3, 1, 3, 3], { group: 3, strides: [2, 2], pads: [1, 1, 1, 1] }, 3),
  transposed('depthwise, two outputs a channel', [1, 2, 3, 3], [2, 2, 2, 2], { group: 2 }, 4),
  transposed('output_shape', [1, 2, 3, 3], [2, 2, 3, 3], { strides: [2, 2], output_shape: [6, 5] }),
  transposed('SAME_UPPER', [1, 2, 3, 3], [2, 2, 3, 3], { strides: [2, 2], auto_pad: 'SAME_UPPER' }),
  transposed('SAME_LOWER', [1, 2, 3, 3], [2, 2, 3, 4], { strides: [2, 2], auto_pad: 'SAME_LOWER' }),
  transposed('1-D', [2, 2, 4], [2, 3, 3], { strides: [2], pads: [1, 1] }, 3),
  transposed('3-D', [1, 2, 2, 2, 2], [2, 2, 2, 2, 3], { strides: [2, 1, 2] }),
]
