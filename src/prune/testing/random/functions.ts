import { float32, sizeOf } from '../../../base/index.ts'
import { ofRank, type Sketch, type Step, type Value } from './sketch.ts'

const names = [
  ...['Relu', 'Tanh', 'Sigmoid', 'Softplus', 'Elu', 'HardSigmoid', 'HardSwish', 'Cos', 'Sin', 'Abs', 'Neg', 'Softsign'],
  ...['Erf', 'Floor', 'Round', 'Sign', 'Atan', 'Identity', 'Dropout', 'LeakyRelu', 'Selu', 'ThresholdedRelu', 'Shrink'],
]

const unary: Step = (s) => {
  const x = s.take()
  if (x) s.add(s.b.op(s.pick(names), [x.name]), x.dims)
}

/** eˣ, √x, ln x, 1/x of numbers kept within reason; some of them no numbers where x is 0. */
const partial: Step = (s) => {
  const x = s.take()
  if (!x) return
  const kinds: (() => string)[] = [
    () => s.b.op('Exp', [s.b.op('Tanh', [x.name])]),
    () => s.b.op('Sqrt', [s.b.op('Abs', [x.name])]),
    () => s.b.op('Log', [s.b.op('Abs', [x.name])]),
    () => s.b.op('Log', [s.b.op('Softplus', [x.name])]),
    () => s.b.op('Reciprocal', [s.b.op('Exp', [s.b.op('Tanh', [x.name])])]),
    () => s.b.op('Reciprocal', [x.name]),
    () => s.b.op('Clip', [x.name, s.b.scalar(s.pick([-1, 0, 0.3])), s.b.scalar(1)]),
    () => s.b.op('Cast', [s.b.op('Cast', [x.name], { to: s.pick([6, 9, 11]) })], { to: 1 }),
  ]
  s.add(s.pick(kinds)(), x.dims)
}

const operators = ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Pow', 'Mean', 'Mod', 'PRelu', 'Where']

/** What x is combined with: a number, a vector along one of its axes, all of it, or another value that broadcasts. */
const partner = (s: Sketch, x: Value): { name: string; dims: readonly number[]; constant: boolean } | undefined => {
  const constant = (dims: readonly number[]) => ({
    name: s.weight(dims, s.pick(['any', 'positive'])),
    dims,
    constant: true,
  })
  switch (s.below(4)) {
    case 0:
      return { name: s.b.scalar(s.pick([-1, 0, 0.5, 1, 2])), dims: [], constant: true }
    case 1: {
      const axis = s.below(x.dims.length)
      return constant(x.dims.slice(axis).map((size, i) => (i === 0 ? size : 1)))
    }
    case 2:
      return constant(x.dims)
    default: {
      const y = s.take(({ dims }) => dims.length === x.dims.length && dims.every((n, i) => n === x.dims[i] || n === 1))
      return y && { ...y, constant: false }
    }
  }
}

const binary: Step = (s) => {
  const x = s.take(ofRank(1))
  const y = x && partner(s, x)
  if (!x || !y) return
  const op = s.pick(operators)
  // A scalar or vector broadcasts against the batch too; a constant of all dims has no batch, which is as well.
  const add = (name: string) => s.add(name, x.dims)
  if (op === 'Where') {
    const condition = s.b.op('Greater', [x.name, s.b.scalar(s.pick([0, -0.5, 0.5]))])
    add(s.b.op('Where', [condition, ...(s.below(2) ? [x.name, y.name] : [y.name, x.name])]))
  } else if (op === 'Mod') add(s.b.op('Mod', [x.name, s.b.scalar(1.5)], { fmod: 1 }))
  else if (op === 'Pow')
    add(s.b.op('Pow', [s.below(2) ? x.name : s.b.op('Abs', [x.name]), s.b.scalar(s.pick([2, 3, 0.5, -1, 0]))]))
  else if (op === 'PRelu') {
    if (y.constant) add(s.b.op('PRelu', [x.name, y.name]))
  } else if (op === 'Div' && s.below(2)) {
    const below = s.b.op('Add', [s.b.op('Abs', [y.name]), s.b.scalar(0.5)])
    add(s.b.op('Div', [x.name, below]))
  } else if (op === 'Sub' || op === 'Div') {
    const order = s.below(2) ? [x.name, y.name] : [y.name, x.name]
    add(s.b.op(op, order))
  } else add(s.b.op(op, [x.name, y.name]))
}

/** Which elements of a fixed mask pass. */
const masking: Step = (s) => {
  const x = s.take(ofRank(1))
  if (!x) return
  const dims = [x.dims.at(-1)!]
  const mask = { type: 'bool' as const, dims, bytes: Uint8Array.from({ length: dims[0]! }, () => s.below(2)) }
  const other = s.pick([s.b.scalar(0), s.b.scalar(1), s.weight(dims)])
  s.add(s.b.op('Where', [s.b.initializer(s.b.fresh('mask'), mask), x.name, other]), x.dims)
}

/** x scaled by a gate made of its own means over the other axes. */
const gate: Step = (s) => {
  const x = s.take(ofRank(3, 3))
  if (!x) return
  const mean = s.b.op('GlobalAveragePool', [x.name])
  const mixed = s.b.op('Conv', [mean, s.weight([x.dims[0]!, x.dims[0]!, 1, 1])])
  s.add(s.b.op('Mul', [x.name, s.b.op(s.pick(['Sigmoid', 'HardSigmoid']), [mixed])]), x.dims)
}

/** x plus ones, as the engine fills them in. */
const filled: Step = (s) => {
  const x = s.take(ofRank(1))
  if (!x || sizeOf(x.dims) > 200) return
  const ones = s.b.op('ConstantOfShape', [s.b.ints(x.dims)], { value: float32([1], [0.5]) })
  s.add(s.b.op(s.pick(['Add', 'Mul']), [x.name, ones]), x.dims)
}

export const functions = { unary, partial, binary, masking, gate, filled } satisfies Record<string, Step>
