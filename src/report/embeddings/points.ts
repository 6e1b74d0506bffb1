import { EspalierError, UsageError } from '../../base/index.ts'
import type { Points } from './types.ts'

/** Refuses a table whose size is wrong or that holds a number which is not finite: every later sum would be spoilt. */
export const checkPoints = ({ rows, columns, values }: Points): void => {
  if (values.length !== rows * columns)
    throw new UsageError(`${rows} points of ${columns} columns take ${rows * columns} values, not ${values.length}`)
  const bad = values.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0)
    throw new EspalierError(`row ${Math.floor(bad / columns)}, column ${bad % columns} is ${values[bad]}`, {
      remedy: 'embed finite values only',
    })
}

/** ‖a − b‖² of two rows. */
export const squaredDistance = ({ values, columns }: Points, a: number, b: number): number => {
  let sum = 0
  for (let i = a * columns, j = b * columns, end = i + columns; i < end; i++, j++) {
    const difference = values[i]! - values[j]!
    sum += difference * difference
  }
  return sum
}
