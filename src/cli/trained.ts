import { type ParameterState, parametersIn, runningStatistic } from '../autodiff/index.ts'
import { groupBy, sizeOf, UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { matches } from '../prune/index.ts'
import { type Console, grouped } from './console.ts'
import type { Options, Parsed } from './options.ts'

/** Flags that say what of a network is trained. */
export const trainedOptions = {
  freeze: { kind: 'list', value: 'PATTERN', help: 'initializers that stay as they are; * stands for anything' },
  'train-only': { kind: 'list', value: 'PATTERN', help: 'the only initializers to train' },
  bn: {
    kind: 'choice',
    among: ['train', 'frozen'],
    help: "BatchNormalization by the batch's statistics, or by the running ones, which then stay",
    default: 'train',
  },
} as const satisfies Options

export type TrainedValues = Parsed<typeof trainedOptions>

/** Every floating-point initializer with why it is not trained, the flags' wishes included. */
export const trainedParameters = (model: Model, values: TrainedValues): ParameterState[] => {
  const all = parametersIn(model.graph)
  const names = all.flatMap(({ name, reason }) => (reason === undefined ? [name] : []))
  const named = (patterns: readonly string[]) => {
    for (const pattern of patterns) {
      if (names.some((name) => matches(pattern, name))) continue
      const other = all.find(({ name }) => matches(pattern, name))
      throw new UsageError(
        `'${pattern}' matches no trainable initializer${other ? `: '${other.name}' is not trained anyway (${other.reason})` : ''}`,
        { remedy: `there are ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', …' : ''}` },
      )
    }
    return new Set(names.filter((name) => patterns.some((pattern) => matches(pattern, name))))
  }
  const frozen = named(values.freeze)
  const only = values['train-only'].length > 0 ? named(values['train-only']) : undefined
  const found = all.map((parameter): ParameterState => {
    const { name, reason } = parameter
    if (reason === runningStatistic)
      return {
        ...parameter,
        reason: `${reason}, ${values.bn === 'frozen' ? 'which stays' : 'which follows the batches'}`,
      }
    if (reason !== undefined) return parameter
    if (frozen.has(name)) return { ...parameter, reason: 'frozen by --freeze' }
    return only && !only.has(name) ? { ...parameter, reason: 'not among --train-only' } : parameter
  })
  if (found.every(({ reason }) => reason !== undefined))
    throw new UsageError('nothing is left to train', { remedy: 'freeze less' })
  return found
}

/** The initializers to train. @throws UsageError when a pattern matches nothing or nothing is left to train */
export const trainableFrom = (model: Model, values: TrainedValues): string[] =>
  trainedParameters(model, values).flatMap(({ name, reason }) => (reason === undefined ? [name] : []))

const shown = 12

/** Says what is trained, layer by layer, and what is not and why. */
export const sayTrained = (parameters: readonly ParameterState[], model: string, console: Console): void => {
  const trained = parameters.filter(({ reason }) => reason === undefined)
  const weights = trained.reduce((sum, { dims }) => sum + sizeOf(dims), 0)
  const layers = groupBy(trained, ({ layer }) => layer)
  console.say(
    `training ${grouped(trained.length)} tensors of ${model}, ${grouped(weights)} weights in ${grouped(layers.size)} layer${layers.size === 1 ? '' : 's'}:`,
  )
  const width = Math.max(...[...layers.keys()].slice(0, shown).map((layer) => layer.length))
  for (const [layer, members] of [...layers].slice(0, shown)) {
    const tensors = members.map(({ name, dims }) => `${lastPart(name, layer)} [${dims.join(', ')}]`)
    console.say(`  ${layer.padEnd(width)}  ${members[0]!.operator}: ${tensors.join(', ')}`)
  }
  if (layers.size > shown) console.say(`  and ${layers.size - shown} layers more, all in run.json`)
  for (const [reason, members] of groupBy(parameters, ({ reason }) => reason ?? ''))
    if (reason !== '') {
      const names = members.slice(0, 4).map(({ name }) => name)
      console.say(
        `not trained: ${names.join(' ')}${members.length > 4 ? ` and ${members.length - 4} more` : ''} (${reason})`,
      )
    }
}

/** What a tensor is called inside its layer. */
const lastPart = (name: string, layer: string) =>
  name.startsWith(layer) && name.length > layer.length ? name.slice(layer.length + 1) : name
