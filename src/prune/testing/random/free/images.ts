import { channelsToPixels, halves, normalizeHalves, shuffle, splitHalves } from '../../sizes/channels.ts'
import {
  cropTo,
  expandLike,
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
} from '../../sizes/patterns.ts'
import { every, type FreeStep, type Image, type Side, zip } from './sketch.ts'

const smaller = (x: Image) => x.sides.every((side) => every(side, (n) => n >= 2))

/** Down, up again, and padded to what it came from. */
const unet: FreeStep = (s) => {
  const x = s.takeImage(smaller)
  if (!x) return
  const { net } = s
  const down = net.relu(net.conv(net.pool(x.name), 'down', [6, x.channels, 3]))
  const kernel = () => net.weight('up.weight', [6, x.channels, 2, 2])
  const up = s.below(2)
    ? net.twice(net.conv(down, 'up', [x.channels, 6, 3]))
    : s.b.op('ConvTranspose', [down, kernel()], { kernel_shape: [2, 2], strides: [2, 2] })
  const padded = padLike(net, up, x.name)
  if (s.below(2)) s.image(s.b.op('Add', [x.name, padded]), x.channels, x.sides)
  else s.image(net.concat([x.name, padded], 1), 2 * x.channels, x.sides)
}

const multiple: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const by = s.pick([2, 4, 8])
  const up = (side: Side) => zip((n) => Math.ceil(n / by) * by, side)
  const padded = padToMultiple(s.net, x.name, by)
  if (s.below(2)) return s.image(padded, x.channels, [up(x.sides[0]), up(x.sides[1])])
  const inner = s.net.twice(s.net.relu(s.net.conv(s.net.pool(padded), 'inner', [4, x.channels, 3])))
  s.image(cropTo(s.net, inner, s.net.size(x.name, 2), s.net.size(x.name, 3)), 4, x.sides)
}

const square: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const side = zip(Math.max, ...x.sides)
  s.image(padToSquare(s.net, x.name), x.channels, [side, side])
}

const resized: FreeStep = (s) => {
  const [x, like] = [s.takeImage(), s.takeImage()]
  if (!x || !like) return
  s.image(resizeLike(s.net, x.name, like.name, s.pick(['nearest', 'linear'])), x.channels, like.sides)
}

const rescaled: FreeStep = (s) => {
  const x = s.takeImage(({ sides }) => sides.every((side) => every(side, (n) => n >= 2 && n <= 100)))
  if (!x) return
  const scale = s.pick([0.5, 0.625, 1.25])
  const to = (side: Side) => zip((n) => Math.floor(Math.fround(n * scale)), side)
  s.image(resizeBy(s.net, x.name, scale), x.channels, [to(x.sides[0]), to(x.sides[1])])
}

const cropped: FreeStep = (s) => {
  const x = s.takeImage()
  const y = x && s.takeImage(({ channels }) => channels === x.channels)
  if (!x || !y) return
  const [height, width] = [2, 3].map((axis) => s.net.min(s.net.size(x.name, axis), s.net.size(y.name, axis))) as [
    string,
    string,
  ]
  const sides: [Side, Side] = [zip(Math.min, x.sides[0], y.sides[0]), zip(Math.min, x.sides[1], y.sides[1])]
  s.image(
    s.b.op(
      'Add',
      [x, y].map(({ name }) => cropTo(s.net, name, height, width)),
    ),
    x.channels,
    sides,
  )
}

const cropAtMost: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const [axis, most] = [s.below(2), s.pick([4, 16, 64])]
  const end = s.net.min(s.net.size(x.name, axis + 2), most)
  const side = zip((n) => Math.min(n, most), x.sides[axis]!)
  s.image(s.net.slice(x.name, axis + 2, 0, end), x.channels, axis === 0 ? [side, x.sides[1]] : [x.sides[0], side])
}

const turn: FreeStep = (s) => {
  const x = s.takeImage()
  if (x) s.image(readTurned(s.net, x.name), x.channels, [x.sides[1], x.sides[0]])
}

const coordinates: FreeStep = (s) => {
  const x = s.takeImage(({ channels }) => channels <= 10)
  if (x) s.image(withCoordinates(s.net, x.name), x.channels + 2, x.sides)
}

const rolled: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const axis = 2 + s.below(2)
  const own = x.sides[axis - 2]!
  // By half of its own size, or of the height where that is never more than there is.
  const fits = own.every((n, run) => x.sides[0][run]! >> 1 <= n)
  const by = s.net.div(s.net.size(x.name, fits ? s.pick([axis, 2]) : axis), 2)
  s.image(roll(s.net, x.name, axis, by), x.channels, x.sides)
}

const windowed: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const inner = (tokens: string) => {
    const wide = s.net.relu(s.net.dense(tokens, 'wide', [x.channels, 6]))
    return s.net.dense(wide, 'narrow', [6, x.channels])
  }
  s.image(overWindows(s.net, x.name, s.pick([2, 3, 7]), x.channels, inner), x.channels, x.sides)
}

const grid: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const { net, b } = s
  const sizes = net.concat([b.ints([1, x.channels]), net.sizes(x.name, 2, 4)], 0)
  const positions = net.resizeTo(net.weight('grid', [1, x.channels, 5, 6]), sizes, s.pick(['nearest', 'linear']))
  s.image(b.op('Add', [x.name, positions]), x.channels, x.sides)
}

/** A vector at every pixel, behind the channels or added to them. */
const expanded: FreeStep = (s) => {
  const x = s.takeImage(({ channels }) => channels <= 10)
  if (!x) return
  const { net, b } = s
  const added = s.below(2) === 1
  const channels = added ? x.channels : 3
  const whole = expandLike(net, x.name, channels)
  if (added) s.image(b.op('Add', [x.name, whole]), channels, x.sides)
  else s.image(net.concat([x.name, whole], 1), x.channels + 3, x.sides)
}

/** A number computed from sizes scales all pixels. */
const factor: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const { net, b } = s
  const [h, w] = [net.size(x.name, 2), net.size(x.name, 3)]
  const numbers: (() => string)[] = [
    () => b.op('Sqrt', [net.float(h)]),
    () => b.op('Sqrt', [net.float(net.size(x.name, 1))]),
    () => net.float(net.mul(h, w)),
    () => net.float(net.max(h, w)),
    () => b.op('Where', [b.op('Greater', [h, w]), b.scalar(2), b.scalar(0.5)]),
    () => b.op('Where', [b.op('Equal', [net.mod(h, 2), net.int(0)]), b.scalar(2), b.scalar(0.5)]),
    () => net.float(net.size(x.name, 0)),
  ]
  s.image(b.op(s.pick(['Mul', 'Div']), [x.name, s.pick(numbers)()]), x.channels, x.sides)
}

const patched: FreeStep = (s) => {
  const x = s.takeImage(({ channels }) => channels === 4)
  if (!x) return
  const up = (side: Side) => zip((n) => Math.ceil(n / 2), side)
  const y = patchesOf(s.net, padToMultiple(s.net, x.name, 2), 4)
  s.image(s.net.relu(s.net.conv(y, 'patch', [8, 16, 1])), 8, [up(x.sides[0]), up(x.sides[1])])
}

const assigned: FreeStep = (s) => {
  const x = s.takeImage(smaller)
  if (!x) return
  const inner = s.net.conv(x.name, 'inner', [x.channels, x.channels, 2], { pad: 0 })
  s.image(overwriteInner(s.net, x.name, inner), x.channels, x.sides)
}

const shuffled: FreeStep = (s) => {
  const x = s.takeImage(({ channels }) => channels % 2 === 0)
  if (x) s.image(shuffle(s.net, x.name), x.channels, x.sides)
}

const gated: FreeStep = (s) => {
  const x = s.takeImage(({ channels }) => channels % 2 === 0)
  if (!x) return
  const [a, b] = s.below(2) ? halves(s.net, x.name) : splitHalves(s.net, x.name, x.channels)
  if (s.below(3) === 0) s.image(s.net.concat([b, a], 1), x.channels, x.sides)
  else s.image(s.b.op('Mul', [a, s.b.op('Sigmoid', [b])]), x.channels / 2, x.sides)
}

const grouped: FreeStep = (s) => {
  const x = s.takeImage(({ channels, sides }) => channels % 2 === 0 && smaller({ sides } as Image))
  if (x) s.image(normalizeHalves(s.net, x.name), x.channels, x.sides)
}

const pixels: FreeStep = (s) => {
  const x = s.takeImage(
    ({ channels, sides }) => channels % 4 === 0 && sides.every((side) => every(side, (n) => n <= 100)),
  )
  if (!x) return
  const twice = (side: Side) => zip((n) => 2 * n, side)
  s.image(channelsToPixels(s.net, x.name), x.channels / 4, [twice(x.sides[0]), twice(x.sides[1])])
}

/** Size arithmetic on images. */
export const freeImages = {
  unet,
  multiple,
  square,
  resized,
  rescaled,
  cropped,
  cropAtMost,
  turn,
  coordinates,
  rolled,
  windowed,
  grid,
  expanded,
  factor,
  patched,
  assigned,
  shuffled,
  gated,
  grouped,
  pixels,
} satisfies Record<string, FreeStep>
