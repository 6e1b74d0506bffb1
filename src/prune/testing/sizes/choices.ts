import { makeNode, subgraph } from '../../../onnx/index.ts'
import { head, picture, stem } from './layers.ts'
import type { SizeNet } from './net.ts'
import { bodyOf } from './recurrent.ts'
import { images, type SizeCase, type Sizes } from './types.ts'

/** `if condition: y = <then> else: y = <otherwise>`, each one node of `x`. */
export const choice = (
  net: SizeNet,
  condition: string,
  x: string,
  then: readonly [op: string, second?: string],
  otherwise: readonly [op: string, second?: string],
): string => {
  const branch = ([op, second]: readonly [string, string?], name: string) =>
    subgraph(bodyOf([], [makeNode(op, second ? [x, second] : [x], [name])], [[name, 'float32', 4]]))
  const branches = {
    then_branch: branch(then, net.b.fresh('then')),
    else_branch: branch(otherwise, net.b.fresh('else')),
  }
  return net.op('If', [condition], branches, { name: net.b.fresh('if') })
}

/** A layer before the choice that is not what passes through it, and layers behind. */
const around = (condition: (net: SizeNet, x: string) => string): SizeCase['write'] => {
  return (net) => {
    const a = net.relu(net.conv(stem(net), 'inner', [4, 8, 3]))
    return head(net, choice(net, condition(net, a), a, ['Mul', net.b.scalar(2)], ['Tanh']), 4)
  }
}

const batches: readonly Sizes[] = [1, 3, 8, 9, 12].map((N) => ({ N, H: 16, W: 11 }))

/** What a network computes depends on sizes. */
export const choiceCases: readonly SizeCase[] = [
  {
    name: 'if x.shape[0] > 8',
    dims: picture,
    write: around((net, x) => net.op('Greater', [net.size(x, 0), net.int(8)])),
    sizes: batches,
    prunable: ['stem', 'head'],
  },
  {
    name: 'if H > 50',
    dims: picture,
    write: around((net, x) => net.op('Greater', [net.size(x, 2), net.int(50)])),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'if H == W',
    dims: picture,
    write: around((net, x) => net.op('Equal', [net.size(x, 2), net.size(x, 3)])),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'if H is even and W is larger than H',
    dims: picture,
    write: around((net, x) =>
      net.op('And', [
        net.op('Equal', [net.mod(net.size(x, 2), 2), net.int(0)]),
        net.op('Greater', [net.size(x, 3), net.size(x, 2)]),
      ]),
    ),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'if the number of channels is 4, which it always is',
    dims: picture,
    write: around((net, x) => net.op('Equal', [net.size(x, 1), net.int(4)])),
    sizes: images,
    prunable: ['stem', 'inner', 'head'],
  },
  {
    name: 'where H > W a number is another',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const taller = net.op('Greater', [net.size(a, 2), net.size(a, 3)])
      return head(net, net.op('Mul', [a, net.op('Where', [taller, net.b.scalar(2), net.b.scalar(0.5)])]), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'if H == W one layer, else another, their weights captured',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const kernels = ['square', 'oblong'].map((name) => net.weight(`${name}.weight`, [4, 8, 1, 1])) as [string, string]
      const same = net.op('Equal', [net.size(a, 2), net.size(a, 3)])
      return head(net, choice(net, same, a, ['Conv', kernels[0]], ['Conv', kernels[1]]), 4)
    },
    sizes: images,
    prunable: ['head'],
  },
]
