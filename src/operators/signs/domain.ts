import { numbersOf, sizeOf, type Tensor } from '../../base/index.ts'
import type { NodeContext } from '../types.ts'

/**
 * The signs a number may have, as a set of three: what is left of an interval when only its position around 0 matters
 * (the sign domain of abstract interpretation, Cousot and Cousot 1977, §5). It answers whether a value is exactly 0 at a
 * unit whose parameters are set to zero.
 */
export type Signs = number

export const negative: Signs = 1
export const zero: Signs = 2
export const positive: Signs = 4
export const anySign: Signs = 7

/** What is known of a node's inputs at one unit. */
export type SignContext = NodeContext & {
  /** The signs input `position` may have there; of an input that does not have the unit, the signs of all of it. */
  signs(position: number): Signs
  /** Whether the input has the unit, so that masking changes it. */
  touched(position: number): boolean
  /** What the numbers of the input are counted from (`ZeroPoint`): their signs are those of the differences. */
  zeroPoint(position: number): ZeroPoint
}

/**
 * What stands for 0 in a value of whole numbers: the number itself, or where it is written. '0' for values that are what they
 * stand for. Equal texts are equal zero points.
 */
export type ZeroPoint = string

/**
 * The signs of the output, undefined when it may not be a number at all (the logarithm of a masked unit), or in words why the
 * unit has a say in the others' values.
 */
export type SignRule = (c: SignContext) => Signs | undefined | string

export type SignRules = { readonly [opType: string]: SignRule }

const parts = (signs: Signs): Signs[] => [negative, zero, positive].filter((sign) => (signs & sign) !== 0)

/** The union of what a function of two signs gives. */
const pairs = (a: Signs, b: Signs, combine: (a: Signs, b: Signs) => Signs): Signs =>
  parts(a).reduce((all, x) => all | parts(b).reduce((some, y) => some | combine(x, y), 0), 0)

export const negated = (signs: Signs): Signs => ((signs & negative) << 2) | (signs & zero) | ((signs & positive) >> 2)

export const sum = (a: Signs, b: Signs): Signs =>
  pairs(a, b, (x, y) => (x === zero ? y : y === zero || x === y ? x : anySign))

export const product = (a: Signs, b: Signs): Signs =>
  pairs(a, b, (x, y) => (x === zero || y === zero ? zero : x === y ? positive : negative))

export const largest = (a: Signs, b: Signs): Signs => pairs(a, b, (x, y) => Math.max(x, y))
export const smallest = (a: Signs, b: Signs): Signs => pairs(a, b, (x, y) => Math.min(x, y))

export const numberSign = (value: number): Signs =>
  value > 0 ? positive : value < 0 ? negative : value === 0 ? zero : anySign

/** The signs of a tensor's elements; large ones are not looked through. */
export const signsOf = (tensor: Tensor): Signs =>
  tensor.strings || sizeOf(tensor.dims) > 4096 ? anySign : numbersOf(tensor).reduce((all, n) => all | numberSign(n), 0)

/** The same signs. */
export const same: SignRule = (c) => c.signs(0)
/** f(0) = 0; of the rest nothing is said. */
export const keepsZero: SignRule = (c) => (c.signs(0) === zero ? zero : anySign)
/** Signs stay, but what is small may become 0. */
export const rounded: SignRule = (c) => c.signs(0) | (c.signs(0) === zero ? 0 : zero)
/** Absolute values, of which some may be 0. */
export const neverNegative: SignRule = (c) =>
  c.signs(0) === zero ? zero : c.signs(0) === positive ? positive : zero | positive
/** A sum of numbers of these signs: those of both signs may cancel. */
export const total: SignRule = (c) => sum(c.signs(0), c.signs(0))
