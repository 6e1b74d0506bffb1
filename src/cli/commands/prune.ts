import { writeFileAtomic } from '../../base/files.ts'
import { EspalierError, UsageError } from '../../base/index.ts'
import { type Dataset, split } from '../../data/index.ts'
import { loadDataset } from '../../data/node.ts'
import { writeModel } from '../../onnx/file.ts'
import type { Model } from '../../onnx/index.ts'
import {
  type Analysis,
  analyzeModel,
  applyPlan,
  costOf,
  criteria,
  type Plan,
  type PlanOptions,
  planForLatency,
  serializePlan,
  type Target,
  verifyPlan,
} from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { type Round, rebirth, train } from '../../train/node.ts'
import { command } from '../command.ts'
import { byteText, type Console, grouped, percent, table } from '../console.ts'
import { loadModelFile, sampleDimsOf } from '../models.ts'
import { checkDistinct, checkWritable } from '../outputs.ts'
import { showTraining } from '../progress.ts'
import { type TrainingValues, trainingFrom, trainingOptions } from '../runs.ts'

export const prune = command({
  name: 'prune',
  summary: 'removes weak kernels from an ONNX file and carries the change through every layer that follows',
  usage: 'MODEL --out FILE [--ratio X]',
  positionals: ['MODEL'],
  options: {
    out: { kind: 'text', value: 'FILE', help: 'the pruned (and, with --retrain, retrained) model' },
    criterion: { kind: 'choice', among: Object.keys(criteria), help: 'what kernels are judged by', default: 'l1' },
    ratio: { kind: 'number', value: 'X', help: 'share of the units that goes, 0 to 1', min: 0 },
    macs: {
      kind: 'number',
      value: 'N',
      help: 'multiply–accumulates to get down to; up to 1 a share of the original',
      min: 0,
    },
    params: { kind: 'number', value: 'N', help: 'the same for parameters', min: 0 },
    bytes: { kind: 'number', value: 'N', help: 'the same for the size of the file', min: 0 },
    latency: { kind: 'number', value: 'MS', help: 'the same for the measured time of one run', min: 0 },
    best: { kind: 'list', value: 'LAYER=N', help: "keeps a layer's N best kernels, as the article does" },
    'layer-ratio': { kind: 'list', value: 'LAYER=X', help: 'a ratio of its own for a layer' },
    scope: {
      kind: 'choice',
      among: ['local', 'global', 'isomorphic'],
      help: 'what competes with what',
      default: 'local',
    },
    steps: {
      kind: 'number',
      value: 'N',
      help: 'rounds of pruning and retraining to get there',
      default: 1,
      min: 1,
      whole: true,
    },
    'round-to': { kind: 'number', value: 'N', help: 'widths are multiples of this', min: 1, whole: true },
    'max-ratio': { kind: 'number', value: 'X', help: 'no layer loses more than this share', min: 0 },
    keep: { kind: 'list', value: 'PATTERN', help: 'layers that stay whole' },
    approximate: { kind: 'flag', help: 'also where removing is not quite masking (LayerNorm)' },
    plan: { kind: 'text', value: 'FILE', help: 'writes which units went' },
    verify: { kind: 'flag', help: 'proves that masked original and pruned model give the same' },
    'dry-run': { kind: 'flag', help: 'says what would go, without retraining, and writes nothing' },
    data: { kind: 'text', value: 'SPEC', help: 'what to retrain on; as in train' },
    retrain: {
      kind: 'number',
      value: 'EPOCHS',
      help: 'epochs of retraining at a small rate after every round',
      min: 0,
    },
    ...trainingOptions,
  },
  async run({ positionals: [name = ''], values, console }) {
    const { out, steps, retrain = 0, seed } = values
    if (!out && !values['dry-run'])
      throw new UsageError('--out is missing', { remedy: 'name the file to write, or use --dry-run' })
    if (retrain > 0 && !values.data)
      throw new UsageError('--retrain needs --data', {
        remedy: 'give mnist, idx:DIR, images:DIR, npz:FILE, safetensors:FILE or csv:FILE',
      })
    checkDistinct({ MODEL: name, '--out': out, '--plan': values.plan })
    if (!values['dry-run']) for (const path of [out, values.plan]) await checkWritable(path)
    const { model, source } = await loadModelFile(name)
    const target = targetFrom(values)
    const options: PlanOptions = {
      criterion: values.criterion,
      seed,
      source,
      scope: scopeOf(values.scope),
      keepBest: pairs('best', values.best),
      ratios: pairs('layer-ratio', values['layer-ratio']),
      keep: values.keep,
      approximate: values.approximate,
      ...(target && { target }),
      ...(values['round-to'] !== undefined && { roundTo: values['round-to'] }),
      ...(values['max-ratio'] !== undefined && { maxRatio: values['max-ratio'] }),
    }
    // What is trained in a dry run would be thrown away.
    const epochs = values['dry-run'] ? 0 : retrain
    const data = epochs > 0 ? await splitsFor(model, values.data ?? '', seed) : undefined
    const teacher = values.teacher ? (await loadModelFile(values.teacher)).model : undefined
    const result = await roundsOf(model, {
      options,
      latency: values.latency,
      steps,
      retrain: epochs,
      data,
      teacher,
      values,
      console,
    })
    const { whole: plan, analysis } = result
    const before = await costOf(model, { runtime: nodeRuntime })
    const after = await costOf(result.model, { runtime: nodeRuntime })
    sayPlan(plan, analysis, console)
    console.say(
      table(
        ['', 'before', 'after', 'left'],
        [
          [
            'parameters',
            grouped(before.parameters),
            grouped(after.parameters),
            percent(after.parameters / before.parameters, 1),
          ],
          ['bytes', byteText(before.bytes), byteText(after.bytes), percent(after.bytes / before.bytes, 1)],
          ['MACs', grouped(before.macs), grouped(after.macs), percent(after.macs / (before.macs || 1), 1)],
        ],
      ),
    )
    const proof = values.verify ? await proofOf(model, plan, console) : undefined
    if (values['dry-run'] || !out) return { plan, before, after, ...(proof && { proof }) }
    await writeModel(out, result.model)
    if (values.plan) await writeFileAtomic(values.plan, serializePlan(plan))
    console.say()
    console.say(`${out} written${values.plan ? `, its plan in ${values.plan}` : ''}`)
    return { out, plan, before, after, ...(proof && { proof }) }
  },
})

type Work = {
  readonly options: PlanOptions
  readonly latency: number | undefined
  readonly steps: number
  readonly retrain: number
  readonly data: { train: Dataset; validation: Dataset } | undefined
  readonly teacher: Model | undefined
  readonly values: TrainingValues
  readonly console: Console
}

/** Prunes in rounds, or in one go by the clock. */
const roundsOf = async (model: Model, work: Work): Promise<Pick<Round, 'model' | 'whole' | 'analysis'>> => {
  const { options, latency, steps, retrain, data, teacher, values, console } = work
  const reborn = async (pruned: Model, label: string) => {
    if (!data || retrain === 0) return pruned
    const { close, ...training } = trainingFrom(pruned, values, {
      data: data.train,
      epochs: retrain,
      lr: 3e-4,
      ...(teacher && { teacher }),
    })
    console.say(label)
    try {
      return (await train(pruned, { ...training, test: data.validation, onEvent: showTraining(console, 'retraining') }))
        .model
    } finally {
      await close()
    }
  }
  if (latency !== undefined) {
    if (steps > 1) throw new UsageError('--latency prunes in one round', { remedy: 'leave --steps away' })
    const analysis = await analyzeModel(model, { runtime: nodeRuntime })
    const { plan, milliseconds } = await planForLatency(model, analysis, options, { runtime: nodeRuntime, latency })
    console.say(`a run takes ${milliseconds.toFixed(3)} ms after pruning`)
    return { model: await reborn(applyPlan(model, plan, analysis), 'retraining'), whole: plan, analysis }
  }
  return rebirth({
    ...options,
    runtime: nodeRuntime,
    model,
    steps,
    retrain: (pruned, { round }) => reborn(pruned, `round ${round} of ${steps}: retraining`),
  })
}

/** Retraining is judged on samples set aside from the training ones: test samples are for the end. */
const splitsFor = async (model: Model, spec: string, seed: number) => {
  const { train: all } = await loadDataset(spec, { sampleDims: sampleDimsOf(model), seed })
  return split(all, 0.1, seed)
}

const targetFrom = (values: {
  ratio: number | undefined
  macs: number | undefined
  params: number | undefined
  bytes: number | undefined
  latency: number | undefined
  best: readonly string[]
  'layer-ratio': readonly string[]
}): Target | undefined => {
  const { ratio, macs, params, bytes, latency } = values
  const asked = Object.entries({ ratio, macs, params, bytes, latency }).filter(([, value]) => value !== undefined)
  if (asked.length > 1)
    throw new UsageError(`${asked.map(([name]) => `--${name}`).join(' and ')} are two targets`, { remedy: 'give one' })
  if (asked.length === 0 && values.best.length === 0 && values['layer-ratio'].length === 0)
    throw new UsageError('there is no target', {
      remedy: 'give --ratio, --macs, --params, --bytes, --latency, --best or --layer-ratio',
    })
  if (ratio !== undefined) return { ratio }
  if (macs !== undefined) return { macs }
  if (params !== undefined) return { params }
  return bytes === undefined ? undefined : { bytes }
}

const scopeOf = (text: string) => (text === 'global' || text === 'isomorphic' ? text : 'local')

/** `conv1=8` as a table of patterns. */
const pairs = (flag: string, texts: readonly string[]): { [pattern: string]: number } =>
  Object.fromEntries(
    texts.map((text) => {
      const at = text.lastIndexOf('=')
      const value = Number(text.slice(at + 1))
      if (at < 1 || !Number.isFinite(value) || text.slice(at + 1) === '')
        throw new UsageError(`--${flag} ${text} makes no sense`, { remedy: `write --${flag} LAYER=NUMBER` })
      return [text.slice(0, at), value]
    }),
  )

const sayPlan = (plan: Plan, analysis: Analysis, console: Console) => {
  console.say(
    table(
      ['group', 'units', 'kept', 'members'],
      plan.groups.map(({ name, size, kept, members }) => [
        name,
        String(size),
        String(kept),
        members.map(({ initializer, axis }) => `${initializer}:${axis}`).join(' '),
      ]),
    ),
  )
  console.say()
  const reasons = new Map<string, string[]>()
  for (const { value, axis, reason } of analysis.frozen)
    if (analysis.model.graph.initializers.has(value))
      reasons.set(reason, [...(reasons.get(reason) ?? []), `${value}:${axis}`])
  for (const [reason, places] of reasons)
    console.say(
      `stays: ${places.slice(0, 4).join(' ')}${places.length > 4 ? ` and ${places.length - 4} more` : ''} (${reason})`,
    )
  console.say()
}

/** The proof is about the removal alone, so it is made on the original's own weights. */
const proofOf = async (model: Model, plan: Plan, console: Console) => {
  const analysis = await analyzeModel(model, { runtime: nodeRuntime })
  const found = await verifyPlan(model, applyPlan(model, plan, analysis), plan, { runtime: nodeRuntime })
  if (!found.equal)
    throw new EspalierError(`masked original and pruned model differ by ${found.difference.toExponential(1)}`, {
      remedy: 'nothing was written: please report the model',
    })
  console.say()
  console.say(`verified: masked original and pruned model differ by ${found.difference.toExponential(1)} at most`)
  return found
}
