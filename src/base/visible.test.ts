import { expect, test } from 'vitest'
import { visible } from './visible.ts'

test.each([
  ['\x1b[2Jred\x07', '\\x1b[2Jred\\x07'],
  ['a\nb\tc\r', 'a\\nb\\tc\\r'],
  ['\x7f\x9b31m', '\\x7f\\x9b31m'],
  ['a\u202eb\u2066c\u2028d\u2029\ufeff', 'a\\u202eb\\u2066c\\u2028d\\u2029\\ufeff'],
  ['\ud800 alone', '\\ud800 alone'],
  ['\u{e0041}', '\\u{e0041}'],
  ['Größe 卷积 👩‍🔬 e\u0301', 'Größe 卷积 👩‍🔬 e\u0301'],
])('%j', (text, shown) => {
  expect(visible(text)).toBe(shown)
})
