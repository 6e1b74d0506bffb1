import { numbersOf, type Tensor } from '../base/index.ts'
import { intOf, intsOf, type Node, stringOf } from '../onnx/index.ts'

/**
 * What an operator does with a unit that is the same number everywhere. 'each': it computes every element from those at the
 * same place of its inputs. 'moves': its elements are elements of its inputs. 'pools': every element comes from elements of
 * the same unit, and is their common value or a function of it.
 */
export type IndexWise = 'each' | 'moves' | 'pools'

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

const each = words(`
  Abs Acos Acosh Add Asin Asinh Atan Atanh Cast Ceil Celu Clip Cos Cosh Div Elu Erf Exp Floor Gelu HardSigmoid HardSwish
  LeakyRelu Log Max Mean Min Mish Mul Neg PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign
  Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where
`)

const microsoft = words('BiasGelu FastGelu Gelu QuickGelu')

const moves = words(`
  Concat DepthToSpace Dropout Expand Flatten Gather Identity Reshape Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze
`)

/** Undefined for operators of which that is not known, or not with the attributes they have. */
export const indexWise = (node: Node, constant: (name: string) => Tensor | undefined): IndexWise | undefined => {
  const { domain, opType } = node
  if (domain === 'com.microsoft') return microsoft.has(opType) ? 'each' : undefined
  if (domain !== '') return undefined
  if (each.has(opType)) return 'each'
  if (moves.has(opType)) return opType === 'Dropout' && !isInference(node, constant) ? undefined : 'moves'
  return pools.get(opType)?.(node, constant) ? 'pools' : undefined
}

type Holds = (node: Node, constant: (name: string) => Tensor | undefined) => boolean

const isInference: Holds = ({ inputs }, constant) => {
  const training = inputs[2] ? constant(inputs[2]) : undefined
  return !inputs[2] || (training !== undefined && numbersOf(training)[0] === 0)
}

const oneOutput = ({ outputs }: Node) => outputs.filter((name) => name !== '').length === 1

/** Averages that count the zeros around an image show its border. */
const countsNoZeros: Holds = (node) =>
  intOf(node, 'count_include_pad', 0) === 0 ||
  (['NOTSET', 'VALID'].includes(stringOf(node, 'auto_pad', 'NOTSET')) &&
    intOf(node, 'ceil_mode', 0) === 0 &&
    intsOf(node, 'pads', []).every((n) => n === 0))

const knownAxes: Holds = ({ inputs }, constant) => !inputs[1] || constant(inputs[1]) !== undefined

const interpolates: Holds = (node) =>
  ['nearest', 'linear'].includes(stringOf(node, 'mode', 'nearest')) &&
  stringOf(node, 'coordinate_transformation_mode', 'half_pixel') !== 'tf_crop_and_resize'

const pools: ReadonlyMap<string, Holds> = new Map<string, Holds>([
  ['AveragePool', countsNoZeros],
  ['BatchNormalization', (node) => oneOutput(node) && intOf(node, 'training_mode', 0) === 0],
  ['GlobalAveragePool', () => true],
  ['GlobalMaxPool', () => true],
  ['MaxPool', oneOutput],
  ['ReduceMax', knownAxes],
  ['ReduceMean', knownAxes],
  ['ReduceMin', knownAxes],
  ['Resize', interpolates],
  ['Upsample', interpolates],
])
