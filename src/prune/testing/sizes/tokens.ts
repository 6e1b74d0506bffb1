import { bool, int64 } from '../../../base/index.ts'
import { head, picture, stem } from './layers.ts'
import type { SizeNet } from './net.ts'
import { images, lengths, type SizeCase } from './types.ts'

const sequence = ['N', 'T', 6] as const

/** [N, C, H, W] → [N, H·W, C] */
export const tokensOf = (net: SizeNet, x: string): string =>
  net.transpose(net.reshape(x, [net.size(x, 0), net.size(x, 1), -1]), [0, 2, 1])

/** [N, H·W, C] → [N, C, H, W], H and W those of `like`. */
export const imageOf = (net: SizeNet, tokens: string, like: string): string => {
  const turned = net.transpose(tokens, [0, 2, 1])
  return net.reshape(turned, [net.size(tokens, 0), net.size(tokens, 2), net.size(like, 2), net.size(like, 3)])
}

/** Attention of two heads with every size computed; `scale` is the root of the computed size of a head. */
export const attention = (net: SizeNet, x: string, width: number, mask?: (scores: string) => string): string => {
  const [n, t] = [net.size(x, 0), net.size(x, 1)]
  const part = (name: string) => {
    const y = net.dense(x, name, [width, width])
    return net.transpose(net.reshape(y, [n, t, 2, net.div(net.size(y, 2), 2)]), [0, 2, 1, 3])
  }
  const [q, k, v] = [part('query'), part('key'), part('value')]
  const scale = net.op('Sqrt', [net.float(net.size(q, 3))])
  const scores = net.op('Div', [net.op('MatMul', [q, net.transpose(k, [0, 1, 3, 2])]), scale])
  const mixed = net.op('MatMul', [net.softmax(mask ? mask(scores) : scores), v])
  const together = net.reshape(net.transpose(mixed, [0, 2, 1, 3]), [n, t, -1])
  return net.dense(together, 'mixed', [width, width])
}

/** Scores at later places replaced by −10⁴, the mask made from the length. */
export const causal = (net: SizeNet, scores: string): string => {
  const places = net.range(net.size(scores, 3))
  const later = net.op('Less', [net.unsqueeze(places, [1]), net.unsqueeze(places, [0])])
  return net.op('Where', [later, net.b.scalar(-1e4), scores])
}

/** Layers on the pixels of an image, or the steps of a sequence, as a list. */
export const tokenCases: readonly SizeCase[] = [
  {
    name: 'a class token is expanded by the batch',
    dims: picture,
    write: (net) => {
      const tokens = tokensOf(net, stem(net))
      const token = net.op('Expand', [net.weight('token', [1, 1, 8]), net.list([net.size('x', 0), 1, 1])])
      const all = net.concat([token, tokens], 1)
      const wide = net.relu(net.dense(all, 'wide', [8, 12]))
      const inner = net.op('Add', [all, net.dense(wide, 'narrow', [12, 8])])
      return net.dense(net.squeeze(net.slice(net.op('CumSum', [inner, net.int(1)]), 1, -1), [1]), 'out', [8, 2])
    },
    sizes: images,
    prunable: ['stem', 'wide'],
  },
  {
    name: 'a class token is expanded by −1 and the batch, through Where',
    dims: picture,
    write: (net) => {
      const tokens = tokensOf(net, stem(net))
      const asked = net.list([net.size('x', 0), -1, -1])
      const ones = net.op('ConstantOfShape', [net.b.ints([3])], { value: int64([1], [1]) })
      const minus = net.op('Mul', [ones, net.int(-1)])
      const shape = net.op('Where', [net.op('Equal', [asked, minus]), ones, asked])
      const token = net.op('Expand', [net.weight('token', [1, 1, 8]), shape])
      const all = net.relu(net.dense(net.concat([token, tokens], 1), 'wide', [8, 12]))
      return net.dense(net.op('Gather', [all, net.int(0)], { axis: 1 }), 'out', [12, 2])
    },
    sizes: images,
    prunable: ['stem', 'wide'],
  },
  {
    name: 'pixels are flattened with −1 and put back by computed sizes',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const flat = net.reshape(a, [net.size(a, 0), net.size(a, 1), -1])
      const back = net.reshape(net.softmax(flat), [net.size(a, 0), net.size(a, 1), net.size(a, 2), net.size(a, 3)])
      return head(net, net.op('Mul', [a, back]), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'whole samples are flattened with (N, −1) and put back by Shape',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const flat = net.op('Tanh', [net.reshape(a, [net.size(a, 0), -1])])
      return head(net, net.op('Reshape', [flat, net.op('Shape', [a])]), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'whole samples are flattened with (N, −1) and put back by four sizes',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const flat = net.op('Tanh', [net.reshape(a, [net.size(a, 0), -1])])
      return head(net, net.reshape(flat, [net.size(a, 0), net.size(a, 1), net.size(a, 2), net.size(a, 3)]), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'pixels become a batch of their own and are put back',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const rows = net.reshape(net.transpose(a, [0, 2, 3, 1]), [-1, net.size(a, 1)])
      const wide = net.dense(net.relu(net.dense(rows, 'wide', [8, 12])), 'narrow', [12, 8])
      const back = net.reshape(wide, [net.size(a, 0), net.size(a, 2), net.size(a, 3), 8])
      return head(net, net.transpose(back, [0, 3, 1, 2]), 8)
    },
    sizes: images,
    prunable: ['stem', 'wide', 'narrow', 'head'],
  },
  {
    name: 'the best min(1000, n) of all pixels are taken',
    dims: picture,
    write: (net) => {
      const tokens = tokensOf(net, stem(net))
      const scores = net.squeeze(net.dense(tokens, 'score', [8, 1]), [2])
      const [best, places] = net.b.ops('TopK', [scores, net.list([net.min(1000, net.size(scores, 1))])], 2) as [
        string,
        string,
      ]
      const shape = net.list([1, 1, net.size(tokens, 2)])
      const indices = net.op('Expand', [net.unsqueeze(places, [2]), shape])
      const taken = net.op('GatherElements', [tokens, indices], { axis: 1 })
      const wide = net.relu(net.dense(taken, 'wide', [8, 12]))
      return [best, net.dense(wide, 'out', [12, 2])]
    },
    sizes: images,
    prunable: ['wide'],
  },
  {
    name: 'the best min(1000, n) scores are taken',
    dims: picture,
    write: (net) => {
      const scores = net.squeeze(net.dense(tokensOf(net, stem(net)), 'score', [8, 1]), [2])
      return net.b.ops('TopK', [scores, net.list([net.min(1000, net.size(scores, 1))])], 2)[0]!
    },
    sizes: images,
    prunable: ['stem'],
  },
  {
    name: 'pixels above zero are gathered by NonZero',
    dims: picture,
    write: (net) => {
      const tokens = tokensOf(net, stem(net))
      const marks = net.op('Greater', [net.mean('x', [1]), net.b.scalar(0)])
      const places = net.transpose(net.op('NonZero', [net.reshape(marks, [net.size('x', 0), -1])]), [1, 0])
      const taken = net.op('GatherND', [tokens, places])
      const total = net.sum(net.relu(net.dense(taken, 'wide', [8, 12])), [0], 1)
      const count = net.float(net.add(net.size(taken, 0), 1))
      return net.dense(net.op('Div', [total, count]), 'out', [12, 2])
    },
    sizes: images,
    prunable: ['stem', 'wide'],
  },
  {
    name: 'attention of pixels is scaled by the computed size of a head',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      return head(net, net.op('Add', [a, imageOf(net, attention(net, tokensOf(net, a), 8), a)]), 8)
    },
    sizes: images.filter(({ H = 0, W = 0 }) => H * W < 700),
    prunable: ['value', 'head'],
  },
  {
    name: 'attention over a length has a mask made from it',
    dims: sequence,
    write: (net) => {
      const x = net.dense('x', 'embed', [6, 8])
      const y = net.op('Add', [x, attention(net, x, 8, (scores) => causal(net, scores))])
      return net.dense(net.relu(net.dense(y, 'wide', [8, 12])), 'out', [12, 2])
    },
    sizes: lengths,
    prunable: ['value', 'wide'],
  },
  {
    name: 'positions are sliced to the length',
    dims: sequence,
    write: (net) => {
      const x = net.dense('x', 'embed', [6, 8])
      const positions = net.slice(net.weight('positions', [1, 40, 8]), 1, 0, net.size('x', 1))
      return net.dense(net.relu(net.dense(net.op('Add', [x, positions]), 'wide', [8, 12])), 'out', [12, 2])
    },
    sizes: lengths,
    prunable: ['embed', 'wide'],
  },
  {
    name: 'positions are gathered by a Range of the length',
    dims: sequence,
    write: (net) => {
      const x = net.dense('x', 'embed', [6, 8])
      const places = net.unsqueeze(net.range(net.size('x', 1)), [0])
      const positions = net.op('Gather', [net.weight('positions', [40, 8]), places])
      return net.dense(net.relu(net.dense(net.op('Add', [x, positions]), 'wide', [8, 12])), 'out', [12, 2])
    },
    sizes: lengths,
    prunable: ['embed', 'wide'],
  },
  {
    name: 'the last step is taken by its computed index',
    dims: sequence,
    write: (net) => {
      const x = net.relu(net.dense('x', 'embed', [6, 8]))
      const last = net.op('Gather', [x, net.sub(net.size(x, 1), 1)], { axis: 1 })
      return net.dense(net.relu(net.dense(last, 'wide', [8, 12])), 'out', [12, 2])
    },
    sizes: lengths,
    prunable: ['embed', 'wide'],
  },
  {
    name: 'a mask of the batch and length is filled in',
    dims: sequence,
    write: (net) => {
      const x = net.relu(net.dense('x', 'embed', [6, 8]))
      const shape = net.concat([net.sizes(x, 0, 2), net.b.ints([1])], 0)
      const ones = net.op('ConstantOfShape', [shape], { value: bool([1], [true]) })
      const passed = net.op('Where', [ones, x, net.b.scalar(0)])
      return net.dense(net.relu(net.dense(passed, 'wide', [8, 12])), 'out', [12, 2])
    },
    sizes: lengths,
    prunable: ['embed', 'wide'],
  },
]
