import { bool, float64, int32, int64, type Tensor } from '../../base/index.ts'
import type { InputSpec, OperatorCase } from './types.ts'

const ints = (...values: number[]): Tensor => int64([values.length], values)

type Rest = Omit<OperatorCase, 'op' | 'name' | 'inputs'>

const reshape = (
  name: string,
  X: readonly number[],
  shape: Tensor,
  attributes: Record<string, number> = {},
): OperatorCase => ({
  op: 'Reshape',
  name,
  inputs: { X, shape },
  attributes,
})

const line = (
  op: string,
  name: string,
  inputs: Record<string, InputSpec | undefined>,
  rest: Rest = {},
): OperatorCase => ({
  op,
  name,
  inputs,
  ...rest,
})

const slice = (name: string, X: readonly number[], ...bounds: (Tensor | undefined)[]): OperatorCase =>
  line('Slice', name, {
    X,
    starts: bounds[0],
    ends: bounds[1],
    ...(bounds[2] && { axes: bounds[2] }),
    ...(bounds[3] && { steps: bounds[3] }),
  })

export const reshapeCases: readonly OperatorCase[] = [
  reshape('split', [2, 6], ints(2, 3, 2)),
  reshape('merged', [2, 3, 2, 2], ints(2, 12)),
  reshape('zero and minus one', [2, 3, 4], ints(0, -1)),
  reshape('to a list', [2, 3], ints(-1)),
  reshape('to a scalar', [1, 1], ints()),
  reshape('allowzero', [2, 3], ints(3, 2), { allowzero: 1 }),
  ...[0, 1, 2, 3, -1].map((axis) => line('Flatten', `axis ${axis}`, { X: [2, 3, 2] }, { attributes: { axis } })),
  line('Squeeze', 'every axis of size 1', { X: [1, 3, 1] }),
  line('Squeeze', 'given axes', { X: [1, 3, 1], axes: ints(-1) }),
  line('Squeeze', 'axes attribute', { X: [1, 3, 1] }, { attributes: { axes: [0] }, opset: 12 }),
  line('Unsqueeze', 'given axes', { X: [2, 3], axes: ints(0, -1) }),
  line('Unsqueeze', 'axes attribute', { X: [2, 3] }, { attributes: { axes: [1] }, opset: 12 }),
]

export const shapeCases: readonly OperatorCase[] = [
  line('Transpose', 'reversed', { X: [2, 3, 4] }),
  line('Transpose', 'perm', { X: [2, 3, 4] }, { attributes: { perm: [1, 2, 0] } }),
  line('Expand', 'new and stretched axes', { X: [3, 1], shape: ints(2, 3, 4) }),
  line('Expand', 'a shorter shape', { X: [2, 3, 1], shape: ints(4) }),
  line('Expand', 'nothing stretched', { X: [2, 3], shape: ints(1, 1) }),
  line('Tile', 'two axes', { X: [2, 3, 2], repeats: ints(2, 1, 3) }),
  line('Trilu', 'upper', { X: [2, 3, 4] }),
  line('Trilu', 'lower, shifted', { X: [3, 3], k: int64([], [-1]) }, { attributes: { upper: 0 } }),
  line('DepthToSpace', 'DCR', { X: [2, 8, 2, 3] }, { attributes: { blocksize: 2 } }),
  line('DepthToSpace', 'CRD', { X: [2, 8, 2, 3] }, { attributes: { blocksize: 2, mode: 'CRD' } }),
  line('SpaceToDepth', 'blocks of 2', { X: [2, 2, 4, 6] }, { attributes: { blocksize: 2 } }),
  line('ReverseSequence', 'time first', { X: [4, 3, 2], lengths: ints(4, 2, 1) }),
  line(
    'ReverseSequence',
    'batch first',
    { X: [3, 4], lengths: ints(4, 2, 1) },
    { attributes: { batch_axis: 0, time_axis: 1 } },
  ),
]

const modes = [
  ['reflect', 17],
  ['edge', 17],
  ['wrap', 19],
] as const

export const segmentCases: readonly OperatorCase[] = [
  line('Concat', 'channels', { A: [2, 3, 2], B: [2, 1, 2], C: [2, 2, 2] }, { attributes: { axis: 1 } }),
  line(
    'Concat',
    'one wanted',
    { A: [2, 3], B: [1, 3], C: float64([1, 3], [1, 2, 3]) },
    { attributes: { axis: -2 }, checked: ['B'] },
  ),
  line('Concat', 'one input', { A: [2, 3] }, { attributes: { axis: 0 } }),
  line('Split', 'given sizes', { X: [2, 6], sizes: ints(1, 3, 2) }, { attributes: { axis: 1 }, outputs: 3 }),
  line(
    'Split',
    'one piece unused',
    { X: [6, 2], sizes: ints(1, 3, 2) },
    { attributes: { axis: -2 }, outputs: 3, loss: [0, 2] },
  ),
  line('Split', 'equal', { X: [4, 3] }, { outputs: 2 }),
  line('Split', 'num_outputs, uneven', { X: [5, 3] }, { attributes: { num_outputs: 3 }, outputs: 3, opset: 18 }),
  line('Split', 'sizes attribute', { X: [3, 4] }, { attributes: { axis: 1, split: [1, 3] }, outputs: 2, opset: 11 }),
  slice('from the front', [5, 4], ints(1), ints(3)),
  slice('negative bounds, given axes', [5, 4, 3], ints(-3, 0), ints(-1, Number.MAX_SAFE_INTEGER), ints(0, -1)),
  slice('steps of 2', [7, 5], ints(1, 0), ints(7, 5), ints(0, 1), ints(2, 3)),
  slice('reversed', [4, 3], ints(-1), ints(-Number.MAX_SAFE_INTEGER), ints(0), ints(-1)),
  slice('backwards by 2', [2, 7], ints(5), ints(0), ints(1), ints(-2)),
  slice('nothing', [3, 2], ints(2), ints(2)),
  line(
    'Slice',
    'attributes',
    { X: [4, 5] },
    { attributes: { starts: [1, -2], ends: [3, 1000], axes: [0, 1] }, opset: 9 },
  ),
  line('Pad', 'constant', { X: [2, 3], pads: ints(1, 0, 2, 3) }),
  line('Pad', 'a constant that varies', { X: [2, 3], pads: ints(0, 1, 1, 0), value: [] }),
  line('Pad', 'cropped', { X: [3, 4], pads: ints(-1, 1, 0, -2) }),
  line('Pad', 'given axes', { X: [2, 3, 2], pads: ints(1, 2), value: undefined, axes: ints(-2) }, { opset: 18 }),
  line('Pad', 'attributes', { X: [2, 3] }, { attributes: { pads: [1, 0, 0, 2] }, opset: 10 }),
  ...modes.flatMap(([mode, opset]) => [
    line('Pad', mode, { X: [4, 3], pads: ints(2, 0, 3, 1) }, { attributes: { mode }, opset }),
    line('Pad', `${mode}, cropped at one end`, { X: [2, 5], pads: ints(0, 3, 0, -1) }, { attributes: { mode }, opset }),
  ]),
]

const elements = int64([2, 3], [0, 2, 1, -1, 0, 1])
const reductions = (op: string, inputs: Record<string, InputSpec>): OperatorCase[] =>
  ['add', 'mul', 'max', 'min'].map((reduction) => line(op, reduction, inputs, { attributes: { reduction }, opset: 18 }))

const ladder = (...dims: number[]) => ({ dims, apart: 0.21 })
const offset = (...dims: number[]) => ({ dims, apart: 0.34 })

export const indexingCases: readonly OperatorCase[] = [
  line('Gather', 'one index', { X: [3, 4], indices: int64([], [1]) }, { attributes: { axis: 1 } }),
  line('Gather', 'a negative index', { X: [3, 4], indices: int64([], [-1]) }),
  line('Gather', 'a list', { X: [5, 2], indices: ints(3, 0, 3) }),
  line('Gather', 'a table of words', { X: [12, 3], indices: int64([2, 6], [0, 3, 11, 5, 3, 3, 8, -1, 2, 0, 7, 4]) }),
  line(
    'Gather',
    'many along a middle axis',
    { X: [2, 12, 3], indices: int32([10], [0, 3, 11, 5, 3, 8, 2, 0, 7, 4]) },
    { attributes: { axis: -2 } },
  ),
  line('GatherElements', 'axis 0', { X: [3, 3], indices: elements }),
  line('GatherElements', 'axis 1', { X: [3, 4], indices: elements }, { attributes: { axis: -1 } }),
  line('GatherND', 'elements', { X: [3, 4], indices: int64([3, 2], [0, 1, 2, 3, 0, 1]) }),
  line('GatherND', 'slices', { X: [3, 4], indices: int64([2, 1], [2, 0]) }),
  line(
    'GatherND',
    'batch axes',
    { X: [2, 3, 4], indices: int64([2, 2, 1], [2, 0, 1, 1]) },
    { attributes: { batch_dims: 1 } },
  ),
  line('ScatterElements', 'overwriting', { X: [3, 3], indices: int64([2, 3], [0, 2, 1, 1, 0, 2]), U: [2, 3] }),
  line(
    'ScatterElements',
    'axis 1',
    { X: [2, 4], indices: int64([2, 2], [0, 3, -2, 1]), U: [2, 2] },
    { attributes: { axis: 1 } },
  ),
  line('Scatter', 'opset 9', { X: [3, 3], indices: int64([2, 3], [0, 2, 1, 1, 0, 2]), U: [2, 3] }, { opset: 9 }),
  ...reductions('ScatterElements', { X: ladder(3, 3), indices: elements, U: offset(2, 3) }),
  line('ScatterND', 'elements', { X: [3, 4], indices: int64([2, 2], [0, 1, 2, 3]), U: [2] }),
  line('ScatterND', 'slices', { X: [3, 2], indices: int64([2, 1], [2, 0]), U: [2, 2] }),
  ...reductions('ScatterND', { X: ladder(3, 2), indices: int64([3, 1], [2, 0, 2]), U: offset(3, 2) }),
  line('TopK', 'largest', { X: ladder(3, 5), k: ints(2) }, { outputs: 2 }),
  line(
    'TopK',
    'smallest, axis 0',
    { X: ladder(4, 3), k: ints(3) },
    { attributes: { axis: 0, largest: 0 }, outputs: 2 },
  ),
  line(
    'Compress',
    'axis 1',
    { X: [2, 4], condition: bool([4], [true, false, true, true]) },
    { attributes: { axis: 1 } },
  ),
  line('Compress', 'flattened', { X: [2, 3], condition: bool([5], [false, true, true, false, true]) }),
  line('Unique', 'sorted', { X: ladder(2, 3) }),
  line('Unique', 'in order of appearance, an axis', { X: ladder(3, 2) }, { attributes: { axis: 0, sorted: 0 } }),
  line(
    'Range',
    'start and step',
    { start: { dims: [], values: [0.5] }, limit: { dims: [], values: [3.2] }, delta: { dims: [], values: [0.7] } },
    { checked: ['start', 'delta'] },
  ),
  line('OneHot', 'values', { indices: ints(1, 0, 2), depth: int64([], [3]), values: [2] }, { attributes: { axis: 0 } }),
]
