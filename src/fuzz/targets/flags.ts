import type { Random } from '../../base/index.ts'
import { commands } from '../../cli/commands/index.ts'
import type { Option } from '../../cli/options.ts'
import { commonOptions } from '../../cli/options.ts'
import { Bench, smallFiles } from '../commands.ts'
import { pick, strangeNumber, strangeText } from '../mutate.ts'
import type { Target } from '../target.ts'

const models = ['dense.onnx', 'dense.onnx', 'conv.onnx']
const data = ['npz:dense.npz', 'npz:conv.npz', 'csv:dense.csv', 'csv:numbers.csv', 'safetensors:dense.safetensors']

/** Values that make sense, by flag. A flag of text that is not here gets strange ones. */
const sensible: Readonly<Record<string, readonly string[]>> = {
  data: [...data, ...data, 'npz:none.npz', 'images:.', 'idx:.', 'csv:text.txt', 'what:x', 'npz', 'npz:'],
  out: ['out', 'out', 'out.onnx', 'deep/er/out.onnx', 'dense.onnx', 'text.txt/out', '.'],
  plan: ['plan.json', 'plan.json', 'text.txt', 'dense.onnx', '.'],
  optimizer: [
    'ranger',
    'adamw',
    'sgd',
    'radam',
    'lion',
    'muon',
    'ranger:gc=false',
    'gc+sgd',
    'nothing',
    'sgd:momentum=2',
  ],
  schedule: ['constant', 'cosine', 'flat-cosine', 'warmup:5%+cosine', 'step:1,2:0.1', 'warmup', 'step:'],
  group: ['*.bias:decay=0', '@vector:lr=0.1x', 'fc1*:optimizer=sgd', 'x', 'none*:lr=1'],
  augment: ['flip', 'shift:1', 'shift', 'turn'],
  loss: ['cross-entropy', 'mse', 'huber', 'focal', 'bce', 'dice', 'output:x', 'l1'],
  best: ['fc1=2', 'conv=1', 'fc1', '=2', 'fc1=-1', 'fc1=1e308', 'constructor=1'],
  'layer-ratio': ['fc1=0.5', 'conv=0.25', 'fc1=2', '__proto__=0.5'],
  'round-to': ['2', '2:up', '2:down', '0', '8:side', '1e9'],
  keep: ['fc1', 'fc*', 'none', '*', '['],
  layer: ['fc1', 'conv', 'none', '*'],
  freeze: ['fc1', 'fc*', 'none', '*'],
  train: ['fc1', 'fc*', 'none', '*'],
  teacher: ['dense.onnx', 'conv.onnx', 'empty.onnx', 'none.onnx'],
  size: ['6x6', 'vary', 'vary:2', '0x0', '6', '-1x6', '99999999x99999999'],
  mean: ['0.5', 'imagenet', 'data', '1,2,3', '1,2'],
  std: ['0.5', 'imagenet', 'data', '1,2,3', '0'],
  inputs: ['dense.npz', 'none.npz', 'dense.csv'],
  network: ['dense.onnx', 'none'],
  latency: ['0.5', '1ms', '0', '3s', 'ms'],
  'class-weights': ['balanced', '1,2,3', '0,0,0', '1', '-1,1,1'],
  seed: ['0', '1', '7'],
}

/** Small values for numbers, by flag where much of it takes long. */
const small: Readonly<Record<string, readonly string[]>> = {
  epochs: ['0', '0.5', '1', '2'],
  steps: ['1', '2', '5'],
  retrain: ['0', '0.5', '1'],
  soft: ['1'],
  batch: ['1', '4', '8', '100'],
  threads: ['1', '2'],
  accumulate: ['1', '2', '3'],
  'evaluate-every': ['0', '1', '5'],
  'checkpoint-every': ['1', '4'],
}

/** A value for a flag: mostly sensible ones, so that combinations are reached and not only refused one by one. */
const wordFor = (name: string, option: Option, dice: Random): string => {
  if (dice.below(8) === 0) return dice.below(2) ? strangeText(dice) : String(strangeNumber(dice))
  if (option.kind === 'choice') return pick(option.among, dice)
  const known = small[name] ?? sensible[name]
  if (known) return pick(known, dice)
  if (option.kind === 'number')
    return pick(option.kind === 'number' && option.whole ? ['0', '1', '2', '3'] : ['0', '0.1', '0.5', '1', '2'], dice)
  return strangeText(dice)
}

/** Writing outside the folder is what a person may ask for, but not a test. */
const insideOnly = (name: string, value: string) =>
  (name === 'out' || name === 'plan') &&
  (/^\s*[/~]/.test(value) || value.split('/').filter((part) => part === '..').length > 2)
    ? 'out'
    : value

const flag = (name: string, option: Option, dice: Random): string[] => {
  if (option.kind === 'flag') return [`--${name}`]
  const value = insideOnly(name, wordFor(name, option, dice))
  return dice.below(2) ? [`--${name}=${value}`] : [`--${name}`, value]
}

/** Positional arguments that make sense, by command. */
const positionals: Readonly<Record<string, (dice: Random) => string[]>> = {
  train: (dice) => [pick(models, dice)],
  prune: (dice) => [pick(models, dice)],
  analyze: (dice) => [pick([...models, 'empty.onnx'], dice)],
  inspect: (dice) => [pick([...models, 'dense.npz', 'case.safetensors', 'text.txt', '.', 'none'], dice)],
  verify: (dice) => [pick(models, dice), pick(models, dice)],
  compare: (dice) => Array.from({ length: 1 + dice.below(3) }, () => pick(models, dice)),
  parity: (dice) =>
    pick(
      [['gradients', 'case.onnx', 'case.safetensors'], ['optimizer', 'trace.safetensors'], ['gradients'], ['what']],
      dice,
    ),
  bench: (dice) => [pick(['prune', 'train', 'what'], dice)],
  demo: () => ['surplus'],
}

/** Flags without which a command stops at once; left out now and then. */
const usual: Readonly<Record<string, readonly string[]>> = {
  train: ['data', 'out'],
  prune: ['out', 'ratio'],
  verify: ['plan'],
  compare: ['data'],
  bench: ['network', 'steps'],
}

/** A command line of random flags of a random command. */
export const randomLine = (dice: Random): string[] => {
  if (dice.below(100) === 0) return Array.from({ length: dice.below(4) }, () => strangeText(dice))
  const command = pick([...commands, ...commands.filter(({ name }) => name === 'train' || name === 'prune')], dice)
  const options = Object.entries<Option>({ ...command.options, ...commonOptions }).filter(([name]) => name !== 'help')
  const given = new Set((usual[command.name] ?? []).filter(() => dice.below(12) > 0))
  for (let n = dice.below(5); n > 0; n--) given.add(pick(options, dice)[0])
  const flags = options.filter(([name]) => given.has(name)).map(([name, option]) => flag(name, option, dice))
  if (dice.below(30) === 0)
    flags.push([pick(['--help', '-h', '--nonsense', '--', '-', '--no-json', '--json=1', '-x'], dice)])
  const words = positionals[command.name]?.(dice) ?? []
  if (dice.below(20) === 0) words[dice.below(words.length + 1)] = strangeText(dice)
  if (dice.below(30) === 0) words.pop()
  return [command.name, ...words, ...dice.shuffle([...flags.keys()]).flatMap((i) => flags[i] ?? [])]
}

/** Lines that take minutes or more and are right: `bench` of every network, the whole demo. */
const isLong = ([name, ...rest]: readonly string[]): boolean =>
  (name === 'bench' && !rest.some((word) => /\.onnx|none/.test(word))) || (name === 'demo' && !rest.includes('surplus'))

export const flags: Target = {
  name: 'flags',
  what: 'random combinations of flags of every command, strange values among them: exit code, one clean line, no file after wrong usage, one JSON document',
  short: 40,
  limits: { seconds: 60, megabytes: 1024 },
  open: async (folder) => {
    const bench = new Bench(folder, smallFiles())
    return {
      attempt: (dice) => {
        let line = randomLine(dice)
        // The system passes no zero bytes on.
        while (isLong(line)) line = randomLine(dice)
        const apart = dice.below(40) === 0 && !line.some((word) => word.includes('\0') || word.length > 50_000)
        return { files: { 'line.json': JSON.stringify(line) }, run: () => bench.run(line, { apart }) }
      },
    }
  },
}
