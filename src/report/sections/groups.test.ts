import { expect, test } from 'vitest'
import type { GroupPicture } from '../types.ts'
import { groupPictures } from './groups.ts'

const member = (initializer: string, role: 'produces' | 'follows' | 'consumes') => ({
  initializer,
  axis: 0,
  role,
  node: 'node',
  operator: 'Conv',
})

const group = (name: string, more: Partial<GroupPicture> = {}): GroupPicture => ({
  name,
  size: 16,
  members: [member(`${name}.weight`, 'produces'), member(`${name}.bias`, 'follows'), member('next.weight', 'consumes')],
  ...more,
})

test('every group is drawn with who makes, carries and reads its units, those that lose some first', () => {
  const { text } = groupPictures([group('whole'), group('cut', { kept: 4 }), group('near', { approximate: 'a mean' })])
  expect(text.match(/<svg/g)).toHaveLength(3)
  expect(text.indexOf('cut.weight')).toBeLessThan(text.indexOf('whole.weight'))
  expect(text).toContain('16 → 4')
  expect(text).toContain('16 units')
  expect(text).toContain('with cut.bias')
  expect(text).toContain('next.weight')
  expect(text).toContain('a mean')
  // A quarter of the knot is filled.
  expect(text).toContain('class="kept" x="184" y="26" width="23"')
})

test('names cannot break out of the page', () => {
  const { text } = groupPictures([group('<script>alert(1)</script>')])
  expect(text).not.toContain('<script>')
})
