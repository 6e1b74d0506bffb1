import { float } from '../../../../onnx/index.ts'
import { every, type FreeStep, type Side, same, zip } from './sketch.ts'

const conv: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const out = s.pick([4, 4, 8])
  const [k, stride] = [s.pick([1, 3, 3]), s.pick([1, 1, 2])]
  const pad = every(x.sides[0], (n) => n >= k) && every(x.sides[1], (n) => n >= k) ? s.pick([k >> 1, 0]) : k >> 1
  const [height, width] = x.sides.map((side) => zip((n) => Math.floor((n + 2 * pad - k) / stride) + 1, side)) as [
    Side,
    Side,
  ]
  s.image(s.net.conv(x.name, 'conv', [out, x.channels, k], { stride, pad }), out, [height, width])
}

const depthwise: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const kernel = s.net.weight('deep.weight', [x.channels, 1, 3, 3])
  s.image(
    s.b.op('Conv', [x.name, kernel], { group: x.channels, kernel_shape: [3, 3], auto_pad: 'SAME_UPPER' }),
    x.channels,
    x.sides,
  )
}

const activation: FreeStep = (s) => {
  const op = s.pick(['Relu', 'Sigmoid', 'Tanh', 'Softplus', 'Identity', 'Elu', 'HardSigmoid'])
  const x = s.below(2) ? s.takeImage() : s.takeTokens()
  if (x?.kind === 'image') s.image(s.b.op(op, [x.name]), x.channels, x.sides)
  else if (x) s.tokens(s.b.op(op, [x.name]), x.channels, x.sides[0])
}

const norm: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const parts = ['any', 'any', 'any', 'positive'].map((kind) => s.weight([x.channels], kind as 'any' | 'positive'))
  s.image(s.b.op('BatchNormalization', [x.name, ...parts], { epsilon: float(1e-3) }), x.channels, x.sides)
}

const pool: FreeStep = (s) => {
  const x = s.takeImage(({ sides }) => sides.every((side) => every(side, (n) => n >= 2)))
  if (!x) return
  const op = s.pick(['MaxPool', 'AveragePool'])
  const up = op === 'MaxPool' && s.below(3) === 0
  const attributes = { kernel_shape: [2, 2], strides: [2, 2], ...(up ? { ceil_mode: 1 } : {}) }
  const half = (side: Side) => zip((n) => (up ? Math.ceil(n / 2) : n >> 1), side)
  s.image(s.b.op(op, [x.name], attributes), x.channels, [half(x.sides[0]), half(x.sides[1])])
}

const residual: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const inner = s.net.relu(s.net.conv(x.name, 'inner', [6, x.channels, 3]))
  s.image(s.b.op('Add', [x.name, s.net.conv(inner, 'outer', [x.channels, 6, 1])]), x.channels, x.sides)
}

const dense: FreeStep = (s) => {
  const x = s.takeTokens()
  if (!x) return
  const out = s.pick([4, 8])
  s.tokens(s.net.dense(x.name, 'dense', [x.channels, out]), out, x.sides[0])
}

const feedforward: FreeStep = (s) => {
  const x = s.takeTokens()
  if (!x) return
  const wide = s.net.relu(s.net.dense(x.name, 'wide', [x.channels, 6]))
  s.tokens(s.b.op('Add', [x.name, s.net.dense(wide, 'narrow', [6, x.channels])]), x.channels, x.sides[0])
}

/** Two images of equal sides, added or one behind the other. */
const join: FreeStep = (s) => {
  const x = s.takeImage()
  const y = x && s.takeImage(({ name, sides }) => name !== x.name && sides.every((side, i) => same(side, x.sides[i]!)))
  if (!x || !y) return
  if (x.channels === y.channels && s.below(2))
    s.image(s.b.op(s.pick(['Add', 'Mul']), [x.name, y.name]), x.channels, x.sides)
  else if (x.channels + y.channels <= 16) s.image(s.net.concat([x.name, y.name], 1), x.channels + y.channels, x.sides)
}

/** What a network is made of beside size arithmetic. */
export const freeLayers = {
  conv,
  depthwise,
  activation,
  norm,
  pool,
  residual,
  dense,
  feedforward,
  join,
} satisfies Record<string, FreeStep>
