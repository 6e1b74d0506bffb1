import { float32 } from '../../../base/index.ts'
import { splitSizes } from './shapes.ts'
import { ofRank, type Step } from './sketch.ts'

const depth: Step = (s) => {
  const x = s.take(ofRank(3, 3))
  if (!x) return
  const [c, h, w] = x.dims as [number, number, number]
  if (c % 4 === 0 && s.below(2))
    s.add(s.b.op('DepthToSpace', [x.name], { blocksize: 2, mode: s.pick(['DCR', 'CRD']) }), [c / 4, h * 2, w * 2])
  else if (h % 2 === 0 && w % 2 === 0) s.add(s.b.op('SpaceToDepth', [x.name], { blocksize: 2 }), [c * 4, h / 2, w / 2])
}

/** [G·n] → [G, n] → [n, G] → [n·G] */
const shuffle: Step = (s) => {
  const x = s.take(ofRank(1))
  const apart = x && splitSizes(s, x.dims[0]!)
  if (!x || !apart) return
  const rest = x.dims.slice(1)
  const wide = s.b.op('Reshape', [x.name, s.b.ints([0, ...apart, ...rest])])
  const turned = s.b.op('Transpose', [wide], { perm: [0, 2, 1, ...rest.map((_, i) => i + 3)] })
  s.add(s.b.op('Reshape', [turned, s.b.ints([0, ...x.dims])]), x.dims)
}

const picture: Step = (s) => {
  const x = s.take(ofRank(3, 3))
  if (!x) return
  const [c, h, w] = x.dims as [number, number, number]
  const window = { kernel_shape: [2, 2], strides: [1, 1] }
  const kinds: (() => void)[] = [
    () => s.add(s.b.op('MaxPool', [x.name], { ...window, pads: [1, 1, 0, 0] }), x.dims),
    () => s.add(s.b.op('AveragePool', [x.name], { ...window, pads: [1, 1, 0, 0] }), x.dims),
    () => s.add(s.b.op('GlobalMaxPool', [x.name]), [c, 1, 1]),
    () => s.add(s.b.op('GlobalAveragePool', [x.name]), [c, 1, 1]),
    () =>
      s.add(s.b.op('Resize', [x.name, '', s.b.constant(float32([4], [1, 1, 2, 2]))], { mode: 'nearest' }), [
        c,
        2 * h,
        2 * w,
      ]),
    () =>
      s.add(
        s.b.op(
          'Resize',
          [
            x.name,
            '',
            '',
            s.b.op(
              'Concat',
              [s.b.op('Slice', [s.b.op('Shape', [x.name]), s.b.ints([0]), s.b.ints([2])]), s.b.ints([3, 3])],
              { axis: 0 },
            ),
          ],
          { mode: 'linear' },
        ),
        [c, 3, 3],
      ),
  ]
  s.pick(kinds)()
}

export const channels = { depth, shuffle, picture } satisfies Record<string, Step>
