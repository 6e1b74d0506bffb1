import { floatOf, stringOf } from '../../onnx/index.ts'
import {
  anySign,
  keepsZero,
  neverNegative,
  numberSign,
  positive,
  rounded,
  type SignRule,
  type SignRules,
  same,
  total,
} from './domain.ts'

/** What the inputs that have the unit hold there. */
const carried: SignRule = (c) =>
  c.node.inputs.reduce((signs, _, i) => (c.touched(i) ? signs | c.signs(i) : signs), 0) || anySign

/** What was there, or what is written over it. */
const overwritten: SignRule = (c) =>
  stringOf(c.node, 'reduction', 'none') === 'none' ? c.signs(0) | (c.touched(2) ? c.signs(2) : 0) : anySign

const padded: SignRule = (c) => {
  if (stringOf(c.node, 'mode', 'constant') !== 'constant') return same(c)
  const value = c.node.inputs[2] ? c.signs(2) : numberSign(floatOf(c.node, 'value', 0))
  return c.signs(0) | value
}

const resized: SignRule = (c) =>
  stringOf(c.node, 'coordinate_transformation_mode', '') === 'tf_crop_and_resize' ? anySign : keepsZero(c)

/** Operators that only move numbers, or pick some: what they are given is what they give. */
export const movers: SignRules = {
  Identity: same,
  Transpose: same,
  Reshape: same,
  Flatten: same,
  Squeeze: same,
  Unsqueeze: same,
  Expand: same,
  Tile: same,
  Slice: same,
  Split: same,
  Gather: same,
  GatherElements: same,
  DepthToSpace: same,
  SpaceToDepth: same,
  ReverseSequence: same,
  MaxPool: same,
  GlobalMaxPool: same,
  Concat: carried,
}

/** Operators that combine numbers of other axes, or bring in numbers of their own. */
export const reductions: SignRules = {
  ReduceSum: total,
  ReduceMean: total,
  ReduceMax: same,
  ReduceMin: same,
  ReduceProd: keepsZero,
  ReduceL1: neverNegative,
  ReduceL2: neverNegative,
  ReduceSumSquare: neverNegative,
  ReduceLogSum: (c) => (c.touched(0) && c.signs(0) !== positive ? undefined : anySign),

  GlobalAveragePool: total,
  AveragePool: rounded,
  LpPool: neverNegative,
  GlobalLpPool: neverNegative,

  ScatterND: overwritten,
  Pad: padded,
  Resize: resized,
  Upsample: keepsZero,
  GridSample: keepsZero,
  RoiAlign: keepsZero,
}
