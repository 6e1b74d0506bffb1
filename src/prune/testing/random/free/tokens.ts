import { bool } from '../../../../base/index.ts'
import { recurrentLayer, scanOverSteps } from '../../sizes/recurrent.ts'
import { attention, causal, imageOf, tokensOf } from '../../sizes/tokens.ts'
import { every, type FreeStep, type Side, zip } from './sketch.ts'

/** The pixels of an image as a list. */
const flattened: FreeStep = (s) => {
  const x = s.takeImage()
  if (x)
    s.tokens(
      tokensOf(s.net, x.name),
      x.channels,
      zip((h, w) => h * w, ...x.sides),
    )
}

/** A list of as many as an image has pixels, as an image of its sides. */
const unflattened: FreeStep = (s) => {
  const like = s.takeImage()
  const area = like && zip((h, w) => h * w, ...like.sides)
  const x = area && s.takeTokens(({ sides: [side] }) => side.every((n, run) => n === area[run]))
  if (like && x) s.image(imageOf(s.net, x.name, like.name), x.channels, like.sides)
}

/** A list as an image one pixel wide. */
const column: FreeStep = (s) => {
  const x = s.takeTokens()
  if (!x) return
  const one: Side = x.sides[0].map(() => 1)
  s.image(s.net.unsqueeze(s.net.transpose(x.name, [0, 2, 1]), [3]), x.channels, [x.sides[0], one])
}

/** Pixels to rows and back, or whole samples to rows of all their numbers and back. */
const thereAndBack: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const { net } = s
  const [n, c, h, w] = [0, 1, 2, 3].map((axis) => net.size(x.name, axis)) as [string, string, string, string]
  const kinds: (() => string)[] = [
    () => net.reshape(net.softmax(net.reshape(x.name, [n, c, -1])), [n, c, h, w]),
    () => net.reshape(net.op('Tanh', [net.reshape(x.name, [n, -1])]), [n, c, h, w]),
    () => net.op('Reshape', [net.op('Tanh', [net.reshape(x.name, [n, -1])]), net.op('Shape', [x.name])]),
    () => net.op('Reshape', [net.op('Tanh', [net.op('Flatten', [x.name], { axis: 2 })]), net.op('Shape', [x.name])]),
    () => {
      const rows = net.reshape(net.transpose(x.name, [0, 2, 3, 1]), [-1, c])
      const wide = net.relu(net.dense(rows, 'wide', [x.channels, 6]))
      const back = net.reshape(net.dense(wide, 'narrow', [6, x.channels]), [n, h, w, -1])
      return net.transpose(back, [0, 3, 1, 2])
    },
    () => {
      // Samples and rows together: (N·H, C, W).
      const lines = net.reshape(net.transpose(x.name, [0, 2, 1, 3]), [net.mul(n, h), c, w])
      return net.transpose(net.reshape(net.softmax(lines), [n, h, -1, w]), [0, 2, 1, 3])
    },
  ]
  s.image(s.pick(kinds)(), x.channels, x.sides)
}

const attended: FreeStep = (s) => {
  const x = s.takeTokens(({ sides: [side], channels }) => channels % 2 === 0 && every(side, (n) => n <= 300))
  if (!x) return
  const mask = s.below(2) ? (scores: string) => causal(s.net, scores) : undefined
  s.tokens(s.b.op('Add', [x.name, attention(s.net, x.name, x.channels, mask)]), x.channels, x.sides[0])
}

const longest = 600

const positions: FreeStep = (s) => {
  const x = s.takeTokens(({ sides: [side] }) => every(side, (n) => n <= longest))
  if (!x) return
  const { net, b } = s
  const t = net.size(x.name, 1)
  const table = () => net.weight('positions', [longest, x.channels])
  const kinds: (() => string)[] = [
    () => net.slice(net.weight('positions', [1, longest, x.channels]), 1, 0, t),
    () => b.op('Gather', [table(), net.range(t)]),
    () => b.op('Gather', [table(), net.unsqueeze(net.range(t), [0])]),
    () => net.slice(table(), 0, net.sub(longest, t)),
  ]
  s.tokens(b.op('Add', [x.name, s.pick(kinds)()]), x.channels, x.sides[0])
}

/** One more token, once for each sample. */
const token: FreeStep = (s) => {
  const x = s.takeTokens()
  if (!x) return
  const { net, b } = s
  const first = b.op('Expand', [net.weight('token', [1, 1, x.channels]), net.list([net.size(x.name, 0), 1, 1])])
  s.tokens(
    net.concat(s.below(2) ? [first, x.name] : [x.name, first], 1),
    x.channels,
    zip((n) => n + 1, x.sides[0]),
  )
}

/** Each step beside the one before it. */
const delayed: FreeStep = (s) => {
  const x = s.takeTokens()
  if (!x) return
  const { net, b } = s
  const shorter = net.slice(x.name, 1, 0, net.sub(net.size(x.name, 1), 1))
  s.tokens(b.op('Add', [x.name, net.pad(shorter, [0, 1, 0, 0, 0, 0])]), x.channels, x.sides[0])
}

const filled: FreeStep = (s) => {
  const x = s.takeTokens()
  if (!x) return
  const { net, b } = s
  const shape = s.below(2)
    ? net.concat([net.sizes(x.name, 0, 2), b.ints([1])], 0)
    : net.list([net.size(x.name, 0), net.size(x.name, 1), 1])
  const ones = b.op('ConstantOfShape', [shape], { value: bool([1], [true]) })
  s.tokens(b.op('Where', [ones, x.name, b.scalar(0)]), x.channels, x.sides[0])
}

/** The best of every channel, as many as there are or the most that are wanted. */
const best: FreeStep = (s) => {
  const x = s.takeTokens()
  if (!x) return
  const { net, b } = s
  const most = s.pick([5, 100, 1000])
  const k = net.list([net.min(most, net.size(x.name, 1))])
  s.tokens(
    b.ops('TopK', [x.name, k], 2, { axis: 1 })[0]!,
    x.channels,
    zip((n) => Math.min(n, most), x.sides[0]),
  )
}

const recurrent: FreeStep = (s) => {
  const x = s.takeTokens(({ sides: [side] }) => every(side, (n) => n <= 100))
  if (!x) return
  const { net } = s
  const kinds: (() => [string, number])[] = [
    () => [net.transpose(net.squeeze(recurrentLayer(net, x.name, [x.channels, 4], 'LSTM'), [1]), [1, 0, 2]), 4],
    () => {
      const turned = net.transpose(recurrentLayer(net, x.name, [x.channels, 4], 'GRU', 2), [2, 0, 1, 3])
      return [net.reshape(turned, [net.size(x.name, 0), net.size(x.name, 1), -1]), 8]
    },
    () => [net.transpose(scanOverSteps(net, x.name, [x.channels, 4]), [1, 0, 2]), 4],
  ]
  const [y, channels] = s.pick(kinds)()
  s.tokens(y, channels, x.sides[0])
}

/** Size arithmetic on lists of pixels and on sequences. */
export const freeTokens = {
  ...{ flattened, unflattened, column, thereAndBack, attended, positions, token, delayed, filled, best, recurrent },
} satisfies Record<string, FreeStep>
