import { expect, test } from 'vitest'
import { jsonText, makeConsole, table } from './console.ts'
import { cut, widthOf } from './width.ts'

const written = (isTTY: boolean, print: (console: ReturnType<typeof makeConsole>) => void): [string, string] => {
  const texts: [string, string] = ['', '']
  const into = (i: 0 | 1) => ({ write: (text: string) => (texts[i] += text), isTTY, columns: 20 })
  print(makeConsole(false, { stdout: into(0), stderr: into(1) }))
  return texts
}

test('what is printed holds no control character but the ends of lines', () => {
  const [stdout] = written(false, (console) => {
    console.say('a\x1b[2J\nb\u202e')
    console.say(table(['name', 'size'], [['conv\x1b]0;title\x07\nweight', '3']]))
  })
  expect(stdout.split('\n')).toHaveLength(5)
  expect(stdout).toContain('a\\x1b[2J\\nb\\u202e\n')
  expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
})

test('a line of progress is replaced by the console alone, and fits the terminal', () => {
  const [, stderr] = written(true, (console) => console.progress(`\x1b[1Aname ${'卷'.repeat(20)}`))
  expect(stderr).toBe('\r\x1b[2K\\x1b[1Aname 卷卷卷…')
})

test('columns stay aligned whatever names are made of, and no cell is endless', () => {
  const lines = table(
    ['name', 'n'],
    [
      ['卷积', '1'],
      ['e\u0301', '2'],
      ['👩‍🔬', '3'],
      ['x'.repeat(1e6), '4'],
      ['', '5'],
    ],
  )
  expect(new Set(lines.map(widthOf))).toEqual(new Set([203]))
})

test('a text is cut to a width', () => {
  expect([cut('four', 4), cut('fours', 4), cut('卷积核', 5)]).toEqual(['four', 'fou…', '卷积…'])
})

test('JSON stays a document of which a terminal obeys nothing', () => {
  const name = '\x1b[2J\x7f\x9b\u202e\u2028\n'
  const text = jsonText({ [name]: name })
  expect(JSON.parse(text)).toEqual({ [name]: name })
  expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\u2028]/u)
})
