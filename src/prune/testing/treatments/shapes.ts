import { int64 } from '../../../base/index.ts'
import { type Case, images, onData, op, rows, shapeOf } from './build.ts'

/** Elements that are moved, put together and taken apart. */
export const shapes: readonly Case[] = [
  ['Flatten behind images', images(288, (_, x) => x), 'goes'],
  [
    'Reshape with 0 and −1',
    rows(8, (net, x) => op('Reshape', {}, [0, -1, 8])(net, op('Reshape', {}, [0, 0, 4, 2])(net, x))),
    'goes',
  ],
  [
    'Reshape that shares no blocks',
    images(288, op('Reshape', {}, [0, 9, 32])),
    /indices go in whole blocks|share no whole blocks/,
  ],
  ['Squeeze and Unsqueeze', rows(8, (net, x) => op('Squeeze', {}, [3])(net, op('Unsqueeze', {}, [3])(net, x))), 'goes'],
  [
    'Shape → Gather → Concat → Reshape',
    rows(8, (net, x) =>
      net.b.op('Reshape', [
        net.b.op('Reshape', [x, net.b.op('Concat', [shapeOf(net, x, 0), net.b.ints([-1])], { axis: 0 })]),
        net.b.op('Concat', [shapeOf(net, x, 0), shapeOf(net, x, 1), net.b.ints([8])], { axis: 0 }),
      ]),
    ),
    'goes',
  ],
  ['Transpose', images(288, op('Transpose', { perm: [0, 2, 3, 1] })), 'goes'],
  ['Concat: the same twice', images(576, (net, x) => net.b.op('Concat', [x, x], { axis: -3 })), 'goes'],
  ['Concat: another axis', images(576, (net, x) => net.b.op('Concat', [x, net.relu(x)], { axis: 2 })), 'goes'],
  [
    'Split: equal, no sizes',
    images(288, (net, x) => net.b.op('Concat', net.b.ops('Split', [x], 2, { axis: 1 }).reverse(), { axis: 1 })),
    'goes',
  ],
  [
    'Split: num_outputs',
    images(
      288,
      (net, x) => net.b.op('Concat', net.b.ops('Split', [x], 2, { axis: -3, num_outputs: 2 }), { axis: 1 }),
      18,
    ),
    'goes',
  ],
  [
    'Split: uneven',
    images(288, (net, x) => {
      const [a, b] = net.b.ops('Split', [x, net.b.ints([3, 5])], 2, { axis: 1 })
      return net.b.op('Concat', [net.relu(b!), a!], { axis: 1 })
    }),
    'goes',
  ],
  ['Slice: every second, backwards', images(144, op('Slice', {}, [-1], [-9], [1], [-2])), 'goes'],
  [
    'Slice: computed bounds',
    images(288, (net, x) => {
      const end = net.b.op('Add', [net.b.op('Cast', [onData(net)], { to: 7 }), net.b.constant(int64([], [8]))])
      return net.b.op('Slice', [x, net.b.ints([0]), net.b.op('Unsqueeze', [end, net.b.ints([0])]), net.b.ints([1])])
    }),
    /computes its bounds while the graph runs/,
  ],
  [
    'Gather: repeated and negative',
    images(180, (net, x) => net.b.op('Gather', [x, net.b.ints([0, -1, 2, 2, -4])], { axis: 1 })),
    'goes',
  ],
  [
    'Gather: computed indices',
    images(36, (net, x) => {
      const index = net.b.op('Cast', [onData(net)], { to: 7 })
      return net.b.op('Gather', [x, index], { axis: 1 })
    }),
    /indices computed while the graph runs/,
  ],
]
