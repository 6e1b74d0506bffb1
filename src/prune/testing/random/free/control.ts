import { int64 } from '../../../../base/index.ts'
import { makeNode, subgraph } from '../../../../onnx/index.ts'
import { choice } from '../../sizes/choices.ts'
import { bodyOf, loopOverSamples, loopOverSteps } from '../../sizes/recurrent.ts'
import { every, type FreeSketch, type FreeStep, type Image } from './sketch.ts'

/** A condition on the sizes of an image; some of them always come out the same. */
const conditionOn = (s: FreeSketch, x: Image): string => {
  const { net, b } = s
  const [n, c, h, w] = [0, 1, 2, 3].map((axis) => net.size(x.name, axis)) as [string, string, string, string]
  const kinds: (() => string)[] = [
    () => b.op('Greater', [n, net.int(s.pick([1, 2, 8]))]),
    () => b.op('Greater', [h, net.int(s.pick([10, 50, 64]))]),
    () => b.op('Less', [net.mul(h, w), net.int(500)]),
    () => b.op('Equal', [h, w]),
    () => b.op('Equal', [net.mod(w, 2), net.int(0)]),
    () => b.op('Not', [b.op('Equal', [h, w])]),
    () => b.op('And', [b.op('Greater', [h, w]), b.op('Equal', [c, net.int(x.channels)])]),
    () => b.op('Equal', [c, net.int(x.channels)]),
    () => b.op('Greater', [c, h]),
    () => b.constant({ type: 'bool', dims: [], bytes: Uint8Array.of(s.below(2)) }),
  ]
  return s.pick(kinds)()
}

const chosen: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const { net, b } = s
  const condition = conditionOn(s, x)
  const branch = (): readonly [string, string?] =>
    s.pick<() => readonly [string, string?]>([
      () => ['Mul', b.scalar(2)],
      () => ['Tanh'],
      () => ['Identity'],
      () => ['Add', net.weight('offset', [x.channels, 1, 1])],
      () => ['Conv', net.weight('branch.weight', [x.channels, x.channels, 1, 1])],
    ])()
  s.image(choice(net, condition, x.name, branch(), branch()), x.channels, x.sides)
}

/** A Loop of a given number of rounds, x carried through a layer whose weights are captured. */
const repeated: FreeStep = (s) => {
  const x = s.takeImage()
  if (!x) return
  const { net, b } = s
  const kernel = net.weight('round.weight', [x.channels, x.channels, 1, 1])
  const nodes = [
    makeNode('Conv', ['h', kernel], ['y'], { kernel_shape: [1, 1] }),
    makeNode('Tanh', ['y'], ['next']),
    makeNode('Identity', ['go'], ['goes']),
  ]
  const given = [
    ['i', 'int64'],
    ['go', 'bool'],
    ['h', 'float32', 4],
  ] as const
  const body = bodyOf(given, nodes, [
    ['goes', 'bool'],
    ['next', 'float32', 4],
  ])
  const rounds = s.pick<() => string>([
    () => b.constant(int64([], [2])),
    () => net.size(x.name, 0),
    () => net.add(net.mod(net.size(x.name, 2), 3), 1),
  ])()
  s.image(
    b.op('Loop', [rounds, net.true(), x.name], { body: subgraph(body) }, { name: b.fresh('rounds') }),
    x.channels,
    x.sides,
  )
}

const samples: FreeStep = (s) => {
  const x = s.takeImage()
  if (x) s.image(loopOverSamples(s.net, x.name, [x.channels, 6, 4]), 4, x.sides)
}

const steps: FreeStep = (s) => {
  const x = s.takeTokens(({ sides: [side] }) => every(side, (n) => n <= 100))
  if (x) s.add(loopOverSteps(s.net, x.name, [x.channels, 4]), [4])
}

/** Control flow: what runs, and how often, depends on sizes. */
export const freeControl = { chosen, repeated, samples, steps } satisfies Record<string, FreeStep>
