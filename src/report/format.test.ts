import { expect, test } from 'vitest'
import { bytes, count, large, milliseconds, percent, points, seconds, significant, tidy, times } from './format.ts'

/** Units stand after a narrow space that does not break; here it is shown as a plain one. */
const plain = (text: string) => text.replaceAll('\u202f', ' ')

test.each([
  [bytes(116_412), '116 kB'],
  [bytes(28_044), '28.0 kB'],
  [bytes(999), '999 B'],
  [bytes(1000), '1.00 kB'],
  [bytes(0), '0 B'],
  [large(2_838_080), '2.84 M'],
  [large(512), '512'],
  [count(28_938), '28,938'],
  [percent(0.9911), '99.11 %'],
  [points(0.0006), '+0.06'],
  [points(-0.0593), '−5.93'],
  [points(0.000001), '0.00'],
  [milliseconds(0.0823), '0.082 ms'],
  [milliseconds(12.345), '12.3 ms'],
  [milliseconds(1800), '1.80 s'],
  [seconds(154), '2 min 34 s'],
  [seconds(59.7), '1 min 0 s'],
  [times(116_412, 28_044), '4.2×'],
  [times(120, 10), '12×'],
  [times(1, 0), '–'],
  [bytes(Number.NaN), '–'],
  [significant(0.000123, 2), '0.00012'],
  [tidy('50.0 kB'), '50 kB'],
  [tidy('99.50 %'), '99.5 %'],
  [tidy('100'), '100'],
  [tidy('0.0300'), '0.03'],
])('%s', (text, wanted) => {
  expect(plain(text)).toBe(wanted)
})
