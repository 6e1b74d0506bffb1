import { float32 } from '../../../base/index.ts'
import { head, picture, stem } from './layers.ts'
import type { SizeNet } from './net.ts'
import {
  cropTo,
  expandLike,
  meanByArea,
  meanBySize,
  overWindows,
  overwriteInner,
  padLike,
  padToMultiple,
  padToSquare,
  patchesOf,
  readTurned,
  resizeBy,
  resizeLike,
  roll,
  withCoordinates,
} from './patterns.ts'
import { images, type SizeCase } from './types.ts'

/** Two linear layers on 8 means. */
const scores = (net: SizeNet, means: string) => net.dense(net.relu(net.dense(means, 'head', [8, 6])), 'out', [6, 2])

/** Layers whose sizes follow from the height and width of the image. */
export const imageCases: readonly SizeCase[] = [
  {
    name: 'a U-Net pads to its skip connection',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const down = net.relu(net.conv(net.pool(a), 'down', [10, 8, 3]))
      const up = net.twice(net.relu(net.conv(down, 'up', [8, 10, 3])))
      return head(net, net.concat([a, padLike(net, up, a)], 1), 16)
    },
    sizes: images,
    prunable: ['stem', 'down', 'up', 'head'],
  },
  {
    name: 'a U-Net of transposed convolutions pads to its skip connection and adds',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const down = net.relu(net.conv(net.pool(a), 'down', [10, 8, 3]))
      const kernel = net.weight('up.weight', [10, 8, 2, 2])
      const up = net.op('ConvTranspose', [down, kernel], { kernel_shape: [2, 2], strides: [2, 2] }, { name: 'up' })
      return head(net, net.op('Add', [a, padLike(net, up, a)]), 8)
    },
    sizes: images,
    prunable: ['stem', 'down', 'head'],
  },
  {
    name: 'an image is padded to a multiple of 8 and cropped again',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const small = net.pool(net.pool(net.pool(padToMultiple(net, a, 8))))
      const inner = net.relu(net.conv(small, 'inner', [10, 8, 3]))
      const large = net.twice(net.twice(net.twice(inner)))
      return head(net, cropTo(net, large, net.size('x', 2), net.size('x', 3)), 10)
    },
    sizes: images,
    prunable: ['stem', 'inner', 'head'],
  },
  {
    name: 'an image is padded to a multiple of 32 by rounding up',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const missing = (axis: number) => {
        const n = net.size(a, axis)
        return net.sub(net.mul(net.div(net.add(n, 31), 32), 32), n)
      }
      const padded = net.pad(a, [0, 0, 0, 0, 0, 0, missing(2), missing(3)])
      return head(net, net.conv(padded, 'patch', [10, 8, 32], { stride: 32, pad: 0 }), 10)
    },
    sizes: images,
    prunable: ['stem', 'patch', 'head'],
  },
  ...(['nearest', 'linear'] as const).map((mode) => ({
    name: `an image is resized to its skip connection, ${mode}`,
    dims: picture,
    write: (net: SizeNet) => {
      const a = stem(net)
      const down = net.relu(net.conv(net.pool(a), 'down', [10, 8, 3]))
      return head(net, net.concat([a, resizeLike(net, down, a, mode)], 1), 18)
    },
    sizes: images,
    prunable: ['stem', 'down', 'head'],
  })),
  {
    name: 'an image is resized by a scale through floats',
    dims: picture,
    write: (net) => head(net, resizeBy(net, stem(net), 0.625), 8),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'two images are cropped to the smaller sizes',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const one = net.conv(a, 'one', [8, 8, 3], { pad: 0 })
      const two = net.twice(net.pool(a))
      const [height, width] = [2, 3].map((axis) => net.min(net.size(one, axis), net.size(two, axis))) as [
        string,
        string,
      ]
      return head(net, net.op('Add', [cropTo(net, one, height, width), cropTo(net, two, height, width)]), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'an image is padded to a square',
    dims: picture,
    write: (net) => head(net, padToSquare(net, stem(net)), 8),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'an image is reshaped to (N, C, W, H)',
    dims: picture,
    write: (net) => head(net, readTurned(net, stem(net)), 8),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'coordinates from Range are concatenated',
    dims: picture,
    write: (net) => head(net, withCoordinates(net, stem(net)), 10),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'an image is rolled by half its width',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      return head(net, roll(net, a, 3, net.div(net.size(a, 3), 2)), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'windows of a padded image are mixed and put back',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const layer = (rows: string) => net.dense(net.relu(net.dense(rows, 'wide', [8, 12])), 'narrow', [12, 8])
      return head(net, net.op('Add', [a, overWindows(net, a, 7, 8, layer)]), 8)
    },
    sizes: images,
    prunable: ['stem', 'wide', 'head'],
  },
  {
    name: 'a grid of positions is resized to the image',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const grid = net.weight('grid', [1, 8, 12, 12])
      const sizes = net.concat([net.b.ints([1, 8]), net.sizes(a, 2, 4)], 0)
      return head(net, net.op('Add', [a, net.resizeTo(grid, sizes, 'linear')]), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'a vector is expanded to the image',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      return head(net, net.concat([a, expandLike(net, a, 5)], 1), 13)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'a mean is a sum divided by height times width',
    dims: picture,
    write: (net) => scores(net, meanByArea(net, stem(net))),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'a mean is a sum divided by Size',
    dims: picture,
    write: (net) => scores(net, meanBySize(net, stem(net))),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'patches of computed sizes become channels',
    dims: picture,
    write: (net) => head(net, patchesOf(net, padToMultiple(net, stem(net), 2), 8), 32),
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'all but the first row and column are overwritten',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      return head(net, overwriteInner(net, a, net.conv(a, 'inner', [8, 8, 2], { pad: 0 })), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'channels up to the height are summed, of which 64 are all',
    dims: picture,
    write: (net) => {
      const wide = net.relu(net.conv('x', 'wide', [64, 3, 1]))
      const some = net.sum(net.slice(wide, 1, 0, net.size(wide, 2)), [1], 1)
      return head(net, some, 1)
    },
    sizes: images,
    prunable: ['head'],
    frozen: ['wide'],
  },
  {
    name: 'an image is cropped to at most 64 rows',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      return head(net, net.slice(a, 2, 0, net.min(net.size(a, 2), 64)), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'a scale is the square root of the height',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const scale = net.op('Sqrt', [net.float(net.size(a, 2))])
      const shifted = net.op('Add', [net.op('Div', [a, scale]), net.b.constant(float32([1], [0.5]))])
      return head(net, shifted, 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
]
