import { float32 } from '../../../base/index.ts'
import { head, picture, stem } from './layers.ts'
import type { SizeNet } from './net.ts'
import { images, type SizeCase } from './types.ts'

/** Zeros around `small` so that its height and width are those of `like`, as U-Nets pad before they concatenate. */
export const padLike = (net: SizeNet, small: string, like: string): string => {
  const [dy, dx] = [2, 3].map((axis) => net.sub(net.size(like, axis), net.size(small, axis))) as [string, string]
  const [top, left] = [net.div(dy, 2), net.div(dx, 2)]
  return net.pad(small, [0, 0, top, left, 0, 0, net.sub(dy, top), net.sub(dx, left)])
}

/** Zeros below and to the right up to a multiple of `by`. */
export const padToMultiple = (net: SizeNet, x: string, by: number): string => {
  const missing = (axis: number) => net.mod(net.sub(by, net.mod(net.size(x, axis), by)), by)
  return net.pad(x, [0, 0, 0, 0, 0, 0, missing(2), missing(3)])
}

/** x resized to the height and width of another image. */
export const resizeLike = (net: SizeNet, x: string, like: string, mode?: string): string =>
  net.resizeTo(x, net.concat([net.sizes(x, 0, 2), net.sizes(like, 2, 4)], 0), mode)

/** `x[:, :, :height, :width]` */
export const cropTo = (net: SizeNet, x: string, height: string, width: string): string =>
  net.slice(net.slice(x, 2, 0, height), 3, 0, width)

/** x and where each of its pixels is, as two channels more, from −1 to 1. */
export const withCoordinates = (net: SizeNet, x: string): string => {
  const line = (axis: number) => {
    const n = net.size(x, axis)
    const steps = net.op('Div', [net.op('Cast', [net.range(n)], { to: 1 }), net.float(net.max(net.sub(n, 1), 1))])
    const centred = net.op('Sub', [net.op('Mul', [steps, net.b.scalar(2)]), net.b.scalar(1)])
    const shaped = net.reshape(centred, axis === 2 ? [1, 1, -1, 1] : [1, 1, 1, -1])
    return net.op('Expand', [shaped, net.list([net.size(x, 0), 1, net.size(x, 2), net.size(x, 3)])])
  }
  return net.concat([x, line(2), line(3)], 1)
}

/** x moved along its width by a computed number of columns, around the end. */
export const roll = (net: SizeNet, x: string, axis: number, by: string): string => {
  const at = net.sub(net.size(x, axis), by)
  return net.concat([net.slice(x, axis, at), net.slice(x, axis, 0, at)], axis)
}

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
    write: (net) => {
      const a = stem(net)
      const scaled = (axis: number) =>
        net.op('Cast', [net.op('Floor', [net.op('Mul', [net.float(net.size(a, axis)), net.b.scalar(0.625)])])], {
          to: 7,
        })
      const sizes = net.concat([net.sizes(a, 0, 2), net.list([scaled(2), scaled(3)])], 0)
      return head(net, net.resizeTo(a, sizes), 8)
    },
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
    write: (net) => {
      const a = stem(net)
      const side = net.max(net.size(a, 2), net.size(a, 3))
      const missing = [2, 3].map((axis) => net.sub(side, net.size(a, axis)))
      return head(net, net.pad(a, [0, 0, 0, 0, 0, 0, ...missing]), 8)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'an image is reshaped to (N, C, W, H)',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      return head(net, net.reshape(a, [net.size(a, 0), net.size(a, 1), net.size(a, 3), net.size(a, 2)]), 8)
    },
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
      const [a, side] = [stem(net), 7]
      const padded = padToMultiple(net, a, side)
      const [n, rows, columns] = [
        net.size(a, 0),
        net.div(net.size(padded, 2), side),
        net.div(net.size(padded, 3), side),
      ]
      const last = net.transpose(padded, [0, 2, 3, 1])
      const apart = net.transpose(net.reshape(last, [n, rows, side, columns, side, 8]), [0, 1, 3, 2, 4, 5])
      const windows = net.reshape(apart, [-1, side * side, 8])
      const mixed = net.dense(net.relu(net.dense(windows, 'wide', [8, 12])), 'narrow', [12, 8])
      const back = net.transpose(net.reshape(mixed, [n, rows, columns, side, side, 8]), [0, 1, 3, 2, 4, 5])
      const whole = net.reshape(back, [n, net.size(padded, 2), net.size(padded, 3), -1])
      const cropped = cropTo(net, net.transpose(whole, [0, 3, 1, 2]), net.size(a, 2), net.size(a, 3))
      return head(net, net.op('Add', [a, cropped]), 8)
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
      const whole = net.op('Expand', [
        net.weight('vector', [1, 5, 1, 1]),
        net.list([net.size(a, 0), 5, net.size(a, 2), net.size(a, 3)]),
      ])
      return head(net, net.concat([a, whole], 1), 13)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'a mean is a sum divided by height times width',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const area = net.float(net.mul(net.size(a, 2), net.size(a, 3)))
      return net.dense(net.relu(net.dense(net.op('Div', [net.sum(a, [2, 3]), area]), 'head', [8, 6])), 'out', [6, 2])
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'a mean is a sum divided by Size',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const count = net.div(net.op('Size', [a]), net.mul(net.size(a, 0), net.size(a, 1)))
      return net.dense(
        net.relu(net.dense(net.op('Div', [net.sum(a, [2, 3]), net.float(count)]), 'head', [8, 6])),
        'out',
        [6, 2],
      )
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'patches of computed sizes become channels',
    dims: picture,
    write: (net) => {
      const a = padToMultiple(net, stem(net), 2)
      const [n, rows, columns] = [net.size(a, 0), net.div(net.size(a, 2), 2), net.div(net.size(a, 3), 2)]
      const apart = net.transpose(net.reshape(a, [n, 8, rows, 2, columns, 2]), [0, 1, 3, 5, 2, 4])
      return head(net, net.reshape(apart, [n, 32, rows, columns]), 32)
    },
    sizes: images,
    prunable: ['stem', 'head'],
  },
  {
    name: 'all but the first row and column are overwritten',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const inner = net.conv(a, 'inner', [8, 8, 2], { pad: 0 })
      const [n, c, h, w] = [0, 1, 2, 3].map((axis) => net.size(a, axis)) as [string, string, string, string]
      const whole = net.list([n, c, net.sub(h, 1), net.sub(w, 1)])
      const indices = [net.range(n), net.range(c), net.range(h, 1), net.range(w, 1)].map((line, axis) => {
        const shaped = net.op('Reshape', [line, net.b.ints([0, 1, 2, 3].map((i) => (i === axis ? -1 : 1)))])
        return net.unsqueeze(net.op('Expand', [shaped, whole]), [4])
      })
      return head(net, net.op('ScatterND', [a, net.concat(indices, 4), inner]), 8)
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
