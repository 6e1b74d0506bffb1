import { describe, expect, test } from 'vitest'
import { UsageError } from '../base/index.ts'
import { asksFor, parseArguments } from './arguments.ts'
import type { Options } from './options.ts'

const options = {
  out: { kind: 'text', value: 'FILE', help: 'where to' },
  lr: { kind: 'number', value: 'X', help: 'rate', default: 0.1, above: 0 },
  steps: { kind: 'number', value: 'N', help: 'steps', min: 1, max: 1000, whole: true },
  shift: { kind: 'number', value: 'N', help: 'any whole number', whole: true },
  ratio: { kind: 'number', value: 'X', help: 'share', min: 0, below: 1 },
  keep: { kind: 'list', value: 'PATTERN', help: 'names' },
  scope: { kind: 'choice', among: ['local', 'global'], help: 'scope', default: 'local' },
  verify: { kind: 'flag', help: 'proves' },
} as const satisfies Options

describe('arguments', () => {
  test('are values by their table, and which of them were given is known', () => {
    const args = ['a.onnx', '--lr', '0.1', '--keep', 'a', '--keep=b', '--shift=-3', 'b.onnx', '--', '--verify']
    const { values, given, positionals } = parseArguments(args, options)
    expect(values).toMatchObject({ lr: 0.1, keep: ['a', 'b'], shift: -3, verify: false, scope: 'local' })
    expect(values.out).toBeUndefined()
    expect([...given]).toEqual(['lr', 'keep', 'shift'])
    expect(positionals).toEqual(['a.onnx', 'b.onnx', '--verify'])
  })

  test.each([
    [['--out='], '--out is empty; give it a value or leave it away'],
    [['--keep', ' '], '--keep is empty'],
    [['--lr=0'], '--lr 0 makes no sense; give a number above 0'],
    [['--lr=-1'], '--lr -1 makes no sense'],
    [['--lr', '1e999'], '--lr 1e999 makes no sense'],
    [['--lr', 'fast'], '--lr fast makes no sense'],
    [['--steps', '1e308'], '--steps 1e308 makes no sense; give a whole number of at least 1 and at most 1000'],
    [['--steps', '2.5'], '--steps 2.5 makes no sense'],
    [['--shift', '1e308'], '--shift 1e308 makes no sense; give a whole number'],
    [['--ratio', '1'], '--ratio 1 makes no sense; give a number of at least 0 and below 1'],
    [['--scope', 'all'], '--scope all is not known; use one of local, global'],
    [['--lr', '1', '--lr', '2'], '--lr is given twice; give it once'],
    [['--verify', '--verify'], '--verify is given twice'],
    [['--verify=yes'], '--verify takes no value'],
    [['--out'], '--out lacks a value; write --out FILE'],
    [['--out', '--verify'], 'what follows --out begins with a dash; give it a value'],
    [['--shift', '-3'], 'one that begins with a dash is written --shift=-3'],
    [['--verfiy'], 'there is no flag --verfiy; did you mean --verify?'],
    [['--step=3'], 'there is no flag --step; did you mean --steps?'],
    [['-lr', '1'], 'there is no flag -lr; did you mean --lr?'],
    [['--colour'], 'there is no flag --colour; see --help'],
    [['--constructor'], 'there is no flag --constructor; see --help'],
    [['--__proto__=1'], 'there is no flag --__proto__'],
  ])('%j are refused', (args, message) => {
    expect(() => parseArguments(args, options)).toThrow(UsageError)
    expect(() => parseArguments(args, options)).toThrow(message)
  })

  test('ask for help by its letter too, but not behind --', () => {
    expect(asksFor('help', ['a', '-h'])).toBe(true)
    expect(asksFor('help', ['a', '--', '--help'])).toBe(false)
  })
})
