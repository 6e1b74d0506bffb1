import { describe, expect, test } from 'vitest'
import { messageOf, UsageError } from '../base/index.ts'
import type { Command } from './command.ts'
import { commands } from './commands/index.ts'
import { subjectOf } from './effects.ts'
import type { Option } from './options.ts'

/** A value for each flag that its table accepts and that is not the default. */
const texts: { readonly [flag: string]: string } = {
  ...{ data: 'images:x', size: '8', mean: '0.5', std: '0.5', loss: 'mse', optimizer: 'sgd', schedule: 'cosine' },
  ...{
    group: '@vector:decay=0',
    augment: 'flip',
    best: 'a=2',
    'layer-ratio': 'a=0.5',
    'round-to': '8',
    latency: '0.5',
    'memory-limit': '4GB',
  },
}

const sample = (flag: string, option: Option): string[] => {
  if (option.kind === 'flag') return [`--${flag}`]
  if (option.kind === 'choice') return [`--${flag}=${option.among.find((one) => one !== option.default)}`]
  if (option.kind !== 'number') return [`--${flag}=${texts[flag] ?? 'x'}`]
  const { min = 0, whole = false } = option
  return [`--${flag}=${whole ? Math.max(min, 1) + 1 : 0.5}`]
}

/** What a command's first argument may be, where it is one of some words. */
const wordsOf = ({ positionals: [first = ''] }: Command): string[] =>
  /^[a-z|]+$/.test(first) ? first.split('|') : ['a']

const argumentsOf = (command: Command, word: string): string[] => [
  ...(command.positionals.length > 0 ? [word] : []),
  ...command.positionals.slice(1).map((_, i) => `file${i}`),
]

const refusal = (command: Command, args: readonly string[]): string | undefined => {
  try {
    command.read(args)
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return messageOf(error)
  }
}

/** Follows the remedies from a set of flags until they are accepted; the flags then given. */
const completed = (command: Command, word: string, flags: readonly string[]): ReadonlyMap<string, string[]> => {
  const given = new Map(flags.map((flag) => [flag, sample(flag, command.options[flag]!)]))
  for (let i = 0; i < 8; i++) {
    const message = refusal(command, [...argumentsOf(command, word), ...[...given.values()].flat()])
    if (message === undefined) return given
    const [, flag = '', value] = / has no effect without --([\w-]+)(?: (?!or )([\w:…-]+))?/.exec(message) ?? []
    expect(command.options, message).toHaveProperty([flag])
    const text = value?.replace('…', 'x')
    given.set(flag, text === undefined ? sample(flag, command.options[flag]!) : [`--${flag}=${text}`])
  }
  throw new Error(`${command.name}: the remedies lead nowhere from ${flags.join(' ')}`)
}

describe.each(commands.map((command) => [command.name, command] as const))('the flags of %s', (_, command) => {
  const flags = Object.keys(command.options)
  const words = wordsOf(command)

  test('stand in rules that name flags and words there are', () => {
    for (const effect of command.effects) {
      for (const flag of effect.flags) expect(flags).toContain(flag)
      for (const condition of [...(effect.with ?? []), ...(effect.without ?? [])])
        expect([...flags, ...words]).toContain(subjectOf(condition))
    }
  })

  test('are all accepted somewhere, with what their remedies name', () => {
    for (const flag of flags) {
      const found = words.filter((word) => {
        const message = refusal(command, [...argumentsOf(command, word), ...sample(flag, command.options[flag]!)])
        if (message === undefined) return true
        expect(message).toContain(`--${flag} has no effect`)
        return !words.some((other) => message.includes(`'${other}'`)) && completed(command, word, [flag]).size > 1
      })
      expect(found, flag).not.toHaveLength(0)
    }
  })

  test('in pairs are accepted or refused for what they say, never otherwise', () => {
    for (const word of words)
      for (const a of flags)
        for (const b of flags) {
          if (a >= b) continue
          const args = [a, b].flatMap((flag) => sample(flag, command.options[flag]!))
          const message = refusal(command, [...argumentsOf(command, word), ...args])
          if (message !== undefined) expect([a, b]).toContain(/^--([\w-]+) has no effect with/.exec(message)?.[1])
        }
  })
})

const read = (line: string) => () => {
  const [name, ...args] = line.split(' ')
  return commands.find((command) => command.name === name)!.read(args)
}

test.each([
  ['prune m --out o --ratio 0.5 --data mnist', '--data has no effect without --retrain or --soft or --stop-loss'],
  ['prune m --out o --ratio 0.5 --optimizer sgd', '--optimizer has no effect without --retrain or --soft'],
  ['prune m --out o --ratio 0.5 --lr 0.1', '--lr has no effect without --retrain or --soft'],
  ['prune m --out o --ratio 0.5 --retrain 0 --lr 0.1', '--lr has no effect without --retrain or --soft'],
  ['prune m --out o --ratio 0.5 --data mnist --stop-loss 1 --lr 0.1', '--lr has no effect without --retrain'],
  ['prune m --out o --ratio 0.5 --schedule cosine', '--schedule has no effect without --retrain or --soft'],
  ['prune m --out o --ratio 0.5 --optimizer nonsense', "'nonsense'"],
  ['prune m --out o --ratio 0.5 --data nonsense', "'nonsense' names no data"],
  ['prune m --out o --ratio 0.5 --schedule nonsense', "there is no schedule 'nonsense'"],
  ['prune m --out o --ratio 0.5 --loss nonsense', '--loss nonsense is not known'],
  ['prune m --out o --ratio 0.5 --plan=', '--plan is empty'],
  ['prune m --out o --best a=2 --scope global', '--scope has no effect without --ratio'],
  ['prune m --out o --ratio 0.5 --prune-schedule agp', '--prune-schedule has no effect without --steps'],
  ['prune m --out o --latency 0.5 --steps 2', '--steps has no effect with --latency'],
  ['prune m --out o --ratio 0.5 --keep-inputs', '--keep-inputs has no effect without --keep'],
  ['train m --data mnist --find-lr --lr 0.1', '--lr has no effect with --find-lr'],
  ['train m --data mnist --out o --delta 2', '--delta has no effect without --loss huber'],
  ['train m --data mnist --out o --fit stretch', '--fit has no effect without --data images:'],
  ['train m --data mnist --out o --evaluate-every 0 --evaluate-samples 9', 'no effect with --evaluate-every 0'],
  ['verify a b --plan p --inputs i --seed 1', '--seed has no effect with --inputs'],
  ['parity optimizer t --out o', "--out has no effect without 'gradients'"],
  ['bench prune --batch 5', "--batch has no effect without 'train' or 'optimizers' or 'centralization'"],
])('%s', (line, message) => {
  expect(read(line)).toThrow(message)
})

test.each([
  'prune m --out o --ratio 0.5 --data mnist --retrain 1 --lr 0.1 --steps 3 --prune-schedule agp',
  'prune m --out o --ratio 0.5 --data mnist --soft 1 --optimizer sgd',
  'prune m --out o --ratio 0.5 --data mnist --stop-accuracy 0.9 --steps 4',
  'prune m --dry-run --out o --ratio 0.5 --data mnist --retrain 1 --delta 2',
  'prune m --out o --ratio 0.5 --retrain 0 --seed 3',
  'train m --data images:x --out o --fit stretch --size 8',
  'train m --data mnist --find-lr --out o --optimizer sgd',
])('%s is accepted', (line) => {
  expect(read(line)).not.toThrow()
})
