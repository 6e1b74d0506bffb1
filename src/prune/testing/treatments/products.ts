import { type Case, images, rows, vectors } from './build.ts'

/** Sums of products, and functions of one number or two. */
export const products: readonly Case[] = [
  ['Conv: groups', images(288, (net, x) => net.conv(x, 'two', [8, 4, 3], 2)), 'goes'],
  ['Conv: depthwise, two outputs a channel', images(576, (net, x) => net.conv(x, 'two', [16, 1, 3], 8)), 'goes'],
  ['Conv: one channel in is not depthwise', images(144, (net, x) => net.conv(x, 'two', [4, 8, 3], 1)), 'goes'],
  [
    'ConvTranspose: groups',
    images(288, (net, x) => net.b.op('ConvTranspose', [x, net.weight('two', [8, 4, 1, 1])], { group: 2 })),
    'goes',
  ],
  ['Gemm', images(12, (net, x) => net.dense(net.flatten(x), 'two', [12, 288])), 'goes'],
  [
    'MatMul: weight on the left',
    rows(5, (net, x) =>
      net.b.op('MatMul', [net.weight('two', [4, 8]), net.b.op('Transpose', [x], { perm: [0, 2, 1] })]),
    ),
    'goes',
  ],
  [
    'MatMul: two computed',
    rows(5, (net, x) => net.b.op('MatMul', [x, net.b.op('Transpose', [x], { perm: [0, 2, 1] })])),
    'goes',
  ],
  [
    'MatMul: two computed that are not 0',
    rows(5, (net, x) => {
      const y = net.b.op('Sigmoid', [x])
      return net.b.op('MatMul', [y, net.b.op('Transpose', [y], { perm: [0, 2, 1] })])
    }),
    /none of which is surely 0/,
  ],
  ['BatchNormalization', images(288, vectors('BatchNormalization', ['gamma', 'beta', 'mean', 'var'])), 'goes'],
  ['residual Add', images(288, (net, x) => net.b.op('Add', [x, net.conv(net.relu(x), 'two', [8, 8, 3])])), 'goes'],
  [
    'Mul by a gate',
    images(288, (net, x) => {
      const gate = net.conv(net.b.op('GlobalAveragePool', [x]), 'two', [8, 8, 1])
      return net.b.op('Mul', [x, net.b.op('Sigmoid', [gate])])
    }),
    'goes',
  ],
  [
    'Where',
    images(288, (net, x) => net.b.op('Where', [net.b.op('Greater', [x, net.b.scalar(0)]), x, net.b.scalar(0)])),
    'goes',
  ],
  ['Div by what may be 0', images(288, (net, x) => net.b.op('Div', [net.b.scalar(1), x])), /may give no number/],
]
