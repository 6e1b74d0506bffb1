import { head, picture, stem } from './layers.ts'
import type { SizeNet } from './net.ts'
import { images, type SizeCase } from './types.ts'

/** Channels of two groups interleaved; every size is computed, as in torchvision's ShuffleNet. */
export const shuffle = (net: SizeNet, x: string): string => {
  const [n, c, h, w] = [0, 1, 2, 3].map((axis) => net.size(x, axis)) as [string, string, string, string]
  const apart = net.transpose(net.reshape(x, [n, 2, net.div(c, 2), h, w]), [0, 2, 1, 3, 4])
  return net.reshape(apart, [n, -1, h, w])
}

/** The two halves of the channels, by Slice at a computed index. */
export const halves = (net: SizeNet, x: string): [string, string] => {
  const middle = net.div(net.size(x, 1), 2)
  return [net.slice(x, 1, 0, middle), net.slice(x, 1, middle, net.mul(middle, 2))]
}

/** The two halves of the channels, by Split into computed sizes where it takes them. */
export const splitHalves = (net: SizeNet, x: string, channels: number): [string, string] => {
  const c = net.size(x, 1)
  const half = net.div(c, 2)
  const [inputs, attributes] =
    net.opset >= 13 ? [[x, net.list([half, net.sub(c, half)])], {}] : [[x], { split: [channels / 2, channels / 2] }]
  return net.b.ops('Split', inputs, 2, { axis: 1, ...attributes }) as [string, string]
}

/** Each half of the channels normalized as one, as exporters write GroupNorm. */
export const normalizeHalves = (net: SizeNet, x: string): string => {
  const parts = [net.weight('ones', [2]), net.weight('zeros', [2])]
  const norm = net.op('InstanceNormalization', [net.reshape(x, [0, 2, -1]), ...parts])
  return net.op('Reshape', [norm, net.op('Shape', [x])])
}

/** Four channels as one of twice the height and width, by reshapes of computed sizes. */
export const channelsToPixels = (net: SizeNet, x: string): string => {
  const [n, c, h, w] = [0, 1, 2, 3].map((axis) => net.size(x, axis)) as [string, string, string, string]
  const apart = net.transpose(net.reshape(x, [n, net.div(c, 4), 2, 2, h, w]), [0, 1, 4, 2, 5, 3])
  return net.reshape(apart, [n, net.div(c, 4), net.mul(h, 2), net.mul(w, 2)])
}

/** Layers whose sizes follow from the number of channels, which a prune changes. */
export const channelCases: readonly SizeCase[] = [
  {
    name: 'channels are shuffled by computed sizes',
    dims: picture,
    write: (net) => head(net, shuffle(net, stem(net)), 8),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'one half of the channels gates the other, sliced at c // 2',
    dims: picture,
    write: (net) => {
      const [a, b] = halves(net, net.conv('x', 'stem', [8, 3, 3]))
      return head(net, net.op('Mul', [a, net.op('Sigmoid', [b])]), 4)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'the channels are split into computed sizes',
    dims: picture,
    write: (net) => {
      const [a, b] = splitHalves(net, net.conv('x', 'stem', [8, 3, 3]), 8)
      const deep = net.relu(net.conv(b, 'deep', [4, 4, 3]))
      return head(net, net.concat([a, deep], 1), 8)
    },
    sizes: images,
    prunable: ['stem', 'deep', 'head'],
  },
  {
    name: 'groups are normalized by InstanceNormalization of (N, groups, −1)',
    dims: picture,
    write: (net) => head(net, normalizeHalves(net, net.conv('x', 'stem', [8, 3, 3])), 8),
    sizes: images,
    prunable: ['head'],
  },
  {
    name: 'channels become pixels by computed sizes',
    dims: picture,
    write: (net) => head(net, channelsToPixels(net, stem(net)), 2),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'the channels are scaled by the square root of their number',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      return head(net, net.op('Div', [a, net.op('Sqrt', [net.float(net.size(a, 1))])]), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'a mean over channels is a sum divided by their number',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const mean = net.op('Div', [net.sum(a, [1], 1), net.float(net.size(a, 1))])
      return head(net, mean, 1)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
]
