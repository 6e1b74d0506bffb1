import { at, range } from './helpers.ts'
import type { ResizeContext } from './types.ts'

/** The kept indices of an axis, all of them when none was removed. */
export const keptOf = (r: ResizeContext, value: string, axis: number): readonly number[] =>
  r.kept(at(value, axis)) ?? range(0, r.dims(value)[axis]!)

/** The size of an axis once its indices are removed. */
export const newSize = (r: ResizeContext, value: string, axis: number): number => keptOf(r, value, axis).length
