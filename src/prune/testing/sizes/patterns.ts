import type { SizeNet } from './net.ts'

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

/** Zeros below or to the right of an image until it is square. */
export const padToSquare = (net: SizeNet, x: string): string => {
  const side = net.max(net.size(x, 2), net.size(x, 3))
  return net.pad(x, [0, 0, 0, 0, 0, 0, ...[2, 3].map((axis) => net.sub(side, net.size(x, axis)))])
}

/** An image resized by a scale: its sizes as floats, rounded down. */
export const resizeBy = (net: SizeNet, x: string, scale: number): string => {
  const scaled = (axis: number) => {
    const product = net.op('Mul', [net.float(net.size(x, axis)), net.b.scalar(scale)])
    return net.op('Cast', [net.op('Floor', [product])], { to: 7 })
  }
  return net.resizeTo(x, net.concat([net.sizes(x, 0, 2), net.list([scaled(2), scaled(3)])], 0))
}

/** The numbers of (N, C, H, W) read as (N, C, W, H). */
export const readTurned = (net: SizeNet, x: string): string =>
  net.reshape(x, [net.size(x, 0), net.size(x, 1), net.size(x, 3), net.size(x, 2)])

/** Windows of `side`² pixels of an image padded to whole ones, as rows of pixels through `layer`, put back and cropped. */
export const overWindows = (
  net: SizeNet,
  x: string,
  side: number,
  channels: number,
  layer: (rows: string) => string,
): string => {
  const padded = padToMultiple(net, x, side)
  const [n, rows, columns] = [net.size(x, 0), net.div(net.size(padded, 2), side), net.div(net.size(padded, 3), side)]
  const last = net.transpose(padded, [0, 2, 3, 1])
  const apart = net.transpose(net.reshape(last, [n, rows, side, columns, side, channels]), [0, 1, 3, 2, 4, 5])
  const mixed = layer(net.reshape(apart, [-1, side * side, channels]))
  const back = net.transpose(net.reshape(mixed, [n, rows, columns, side, side, channels]), [0, 1, 3, 2, 4, 5])
  const whole = net.reshape(back, [n, net.size(padded, 2), net.size(padded, 3), -1])
  return cropTo(net, net.transpose(whole, [0, 3, 1, 2]), net.size(x, 2), net.size(x, 3))
}

/** Pixels of 2 × 2 as channels, by reshapes of computed sizes; height and width are even. */
export const patchesOf = (net: SizeNet, x: string, channels: number): string => {
  const [n, rows, columns] = [net.size(x, 0), net.div(net.size(x, 2), 2), net.div(net.size(x, 3), 2)]
  const apart = net.transpose(net.reshape(x, [n, channels, rows, 2, columns, 2]), [0, 1, 3, 5, 2, 4])
  return net.reshape(apart, [n, 4 * channels, rows, columns])
}

/** `x[:, :, 1:, 1:] = inner`, the elements named by indices made of Range and Expand. */
export const overwriteInner = (net: SizeNet, x: string, inner: string): string => {
  const [n, c, h, w] = [0, 1, 2, 3].map((axis) => net.size(x, axis)) as [string, string, string, string]
  const whole = net.list([n, c, net.sub(h, 1), net.sub(w, 1)])
  const indices = [net.range(n), net.range(c), net.range(h, 1), net.range(w, 1)].map((line, axis) => {
    const shaped = net.op('Reshape', [line, net.b.ints([0, 1, 2, 3].map((i) => (i === axis ? -1 : 1)))])
    return net.unsqueeze(net.op('Expand', [shaped, whole]), [4])
  })
  return net.op('ScatterND', [x, net.concat(indices, 4), inner])
}

/** The mean over height and width, (N, C), as a sum divided by their product. */
export const meanByArea = (net: SizeNet, x: string): string =>
  net.op('Div', [net.sum(x, [2, 3]), net.float(net.mul(net.size(x, 2), net.size(x, 3)))])

/** The same, divided by the number of all elements over N · C. */
export const meanBySize = (net: SizeNet, x: string): string => {
  const count = net.div(net.op('Size', [x]), net.mul(net.size(x, 0), net.size(x, 1)))
  return net.op('Div', [net.sum(x, [2, 3]), net.float(count)])
}

/** A vector of each of `channels` at every pixel of an image like x. */
export const expandLike = (net: SizeNet, x: string, channels: number): string => {
  const sizes = net.list([net.size(x, 0), channels, net.size(x, 2), net.size(x, 3)])
  return net.op('Expand', [net.weight('vector', [1, channels, 1, 1]), sizes])
}
