import { meanByArea, meanBySize } from '../../sizes/patterns.ts'
import { ofRank } from '../sketch.ts'
import { every, type FreeStep, type Side } from './sketch.ts'

/** An image as one number for each channel, or as an image of a fixed size. */
const fixed: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const { net, b } = s
  const c = x.channels
  const kinds: (() => void)[] = [
    () => s.add(meanByArea(net, x.name), [c]),
    () => s.add(meanBySize(net, x.name), [c]),
    () => s.add(b.op('GlobalAveragePool', [x.name]), [c, 1, 1]),
    () => s.add(net.mean(x.name, [2, 3]), [c]),
    () => s.add(net.resizeTo(x.name, net.concat([net.sizes(x.name, 0, 2), b.ints([4, 4])], 0), 'linear'), [c, 4, 4]),
    () => {
      const last = [2, 3].map((axis) => net.sub(net.size(x.name, axis), 1)) as [string, string]
      const row = b.op('Gather', [x.name, last[0]], { axis: 2 })
      s.add(b.op('Gather', [row, last[1]], { axis: 2 }), [c])
    },
  ]
  s.pick(kinds)()
}

/** A sequence as one vector: its mean, or one of its steps. */
const summed: FreeStep = (s) => {
  const x = s.takeTokens()
  if (!x) return
  const { net, b } = s
  const t = net.size(x.name, 1)
  const kinds: (() => string)[] = [
    () => b.op('Div', [net.sum(x.name, [1]), net.float(t)]),
    () => b.op('Gather', [x.name, net.sub(t, 1)], { axis: 1 }),
    () => b.op('Gather', [x.name, net.div(t, 2)], { axis: 1 }),
    () => b.op('Gather', [x.name, net.int(-1)], { axis: 1 }),
    () => net.squeeze(net.slice(x.name, 1, net.sub(t, 1), t), [1]),
  ]
  s.add(s.pick(kinds)(), [x.channels])
}

/** The steps whose mean is above a number, which ones only the data tells, averaged. */
const marked: FreeStep = (s) => {
  const x = s.takeTokens()
  if (!x) return
  const { net, b } = s
  const marks = b.op('Greater', [net.mean(x.name, [2]), b.scalar(0.0123)])
  const taken = b.op('GatherND', [x.name, net.transpose(b.op('NonZero', [marks]), [1, 0])])
  const total = net.sum(net.relu(net.dense(taken, 'marked', [x.channels, 4])), [0], 1)
  const mean = b.op('Div', [total, net.float(net.add(net.size(taken, 0), 1))])
  // One row for all samples: the same at each of them.
  const rows = b.op('Expand', [mean, net.list([net.size(x.name, 0), 1])])
  s.add(rows, [4])
}

/** An image scaled or shifted by a vector of its channels, or beside the vector at every pixel. */
const conditioned: FreeStep = (s) => {
  const v = s.take(ofRank(1, 1))
  const x = v && s.takeImage()
  if (!v || !x) return
  const { net, b } = s
  const size = v.dims[0]!
  const wide = net.unsqueeze(v.name, [2, 3])
  if (size === x.channels && s.below(2)) {
    const op = s.pick(['Mul', 'Add'])
    s.image(b.op(op, [x.name, op === 'Mul' ? b.op('Sigmoid', [wide]) : wide]), x.channels, x.sides)
  } else if (size + x.channels <= 16) {
    const sizes = net.list([net.size(x.name, 0), size, net.size(x.name, 2), net.size(x.name, 3)])
    s.image(net.concat([x.name, b.op('Expand', [wide, sizes])], 1), x.channels + size, x.sides)
  }
}

/** A vector repeated once for each step of a sequence. */
const repeatedTo: FreeStep = (s) => {
  const v = s.take(ofRank(1, 1))
  const x = v && s.takeTokens()
  if (!v || !x || v.dims[0]! + x.channels > 16) return
  const { net, b } = s
  const one = net.unsqueeze(v.name, [1])
  const t = net.size(x.name, 1)
  const whole = s.below(2) ? b.op('Expand', [one, net.list([1, t, 1])]) : b.op('Tile', [one, net.list([1, t, 1])])
  s.tokens(net.concat([x.name, whole], 2), x.channels + v.dims[0]!, x.sides[0])
}

/** An image of fixed sizes brought to those of one whose sizes vary. */
const stretched: FreeStep = (s) => {
  const v = s.take(ofRank(3, 3))
  const like = v && s.takeImage(({ sides }) => sides.every((side: Side) => every(side, (n) => n <= 100)))
  if (!v || !like || v.dims[0]! > 16) return
  const { net } = s
  const sizes = net.concat([net.sizes(v.name, 0, 2), net.sizes(like.name, 2, 4)], 0)
  s.image(net.resizeTo(v.name, sizes), v.dims[0]!, like.sides)
}

/** From sizes that vary to fixed ones and back. */
export const freeMixed = { fixed, summed, marked, conditioned, repeatedTo, stretched } satisfies Record<
  string,
  FreeStep
>
