import { writeFileAtomic } from '../../base/files.ts'
import { UsageError } from '../../base/index.ts'
import { checkFree } from '../../base/lock.ts'
import { statedSampling } from '../../data/index.ts'
import { writeModel } from '../../onnx/file.ts'
import { costOf, describePlan, serializePlan } from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { freeBatch } from '../../train/node.ts'
import { command } from '../command.ts'
import { onStage } from '../limits/report.ts'
import { checkLossFlags } from '../losses.ts'
import { loadModelFile } from '../models.ts'
import { checkDistinct, checkWritable } from '../outputs.ts'
import { latencyFrom, type PruneValues, planOptionsFrom, pruneEffects, pruneOptions } from '../prune/flags.ts'
import { proverOf, sayProof } from '../prune/proof.ts'
import { roundsOf, splitsFor } from '../prune/rounds.ts'
import { inPruneRun, type PruneRun, pruneSettings } from '../prune/run.ts'
import { costTable, groupTable, latencyOutcome, outcomeOf, outcomeText, sayAbsorbed, sayFrozen } from '../prune/show.ts'

export const prune = command({
  name: 'prune',
  summary: 'removes weak kernels from an ONNX file and carries the change through every layer that follows',
  usage: 'MODEL --out FILE [--ratio X]',
  positionals: ['MODEL'],
  options: pruneOptions,
  effects: pruneEffects,
  resumable: (values) => trains(values),
  async run({ positionals: [name = ''], values: given, console, interrupt }) {
    const { out, seed, criterion } = given
    checkFlags(given)
    checkDistinct({ MODEL: name, '--out': out, '--plan': given.plan })
    if (!given['dry-run']) for (const path of [out, given.plan]) await checkWritable(path)
    if (!given['dry-run'] && out) await checkFree(out)
    const { model: loaded, source } = await loadModelFile(name)
    // Retraining goes on with the loss that the file was trained with, unless another is named.
    const values =
      given.loss === 'cross-entropy' ? { ...given, loss: statedSampling(loaded).loss ?? given.loss } : given
    checkLossFlags(values)
    const options = { ...planOptionsFrom(values, source), onEvent: onStage }
    const teacher = values.teacher ? (await loadModelFile(values.teacher)).model : undefined
    // What is trained in a dry run would be thrown away.
    const dry = values['dry-run']
    const { retrain, soft = 0, 'stop-loss': loss, 'stop-accuracy': accuracy } = values
    const needed = !dry && (retrain > 0 || soft > 0 || loss !== undefined || accuracy !== undefined)
    // What is trained or judged is so on batches of many samples.
    const model = needed ? await freeBatch(loaded, nodeRuntime) : loaded
    const data = needed ? await splitsFor(model, values.data ?? '', values) : undefined
    const before = await costOf(model, { runtime: nodeRuntime })
    const proves = !values['no-verify'] && (values.verify || !dry)
    const prove = proves ? proverOf(model, before.macs) : undefined
    const finish = async (run?: PruneRun, resumed = false) => {
      if (given.resume && !resumed) console.say(`no checkpoint of ${out}: starting from the beginning`)
      const result = await roundsOf(model, {
        options,
        soft: dry ? 0 : soft,
        retrain: dry ? 0 : retrain,
        data,
        teacher,
        prove,
        values,
        console,
        interrupt,
        run,
      })
      const { whole: plan, first: analysis } = result
      const after = await costOf(result.model, { runtime: nodeRuntime })
      const groups = describePlan(model, analysis, plan, { criterion, seed })
      console.say(groupTable(groups))
      console.say()
      sayFrozen(analysis.frozen, (value) => analysis.model.graph.initializers.has(value), console)
      console.say()
      console.say(costTable(before, after))
      const { latency } = values
      const target =
        latency === undefined
          ? outcomeOf(options, groups, before, after)
          : await latencyOutcome(latencyFrom(latency), model, result.model)
      if (target) {
        console.say()
        console.say(
          outcomeText(
            target,
            options,
            groups.every(({ size, kept }) => kept === size),
          ),
        )
      }
      if (values.absorb) sayAbsorbed(plan, result.left ?? [], console)
      const proof = await prove?.(plan, analysis)
      if (proof) sayProof(proof, console)
      const document = {
        plan,
        before,
        after,
        groups,
        ...(target && { target }),
        ...(result.left && { notAbsorbed: result.left }),
        ...(result.judged.length > 0 && { rounds: result.judged }),
        ...(proof && { proof }),
      }
      if (dry || !out) return document
      await writeModel(out, data ? data.stamp(result.model) : result.model)
      if (values.plan) await writeFileAtomic(values.plan, serializePlan(plan))
      await run?.finish()
      console.say()
      console.say(`${out} written${values.plan ? `, its plan in ${values.plan}` : ''}`)
      return { out, ...document }
    }
    if (!trains(given) || !out) return finish()
    return inPruneRun(out, pruneSettings(given, source.sha256), given, finish)
  },
})

/** Whether a prune with these flags trains. */
const trains = ({ retrain = 0, soft = 0, 'dry-run': dry }: PruneValues): boolean => !dry && (retrain > 0 || soft > 0)

const checkFlags = (values: PruneValues): void => {
  if (!values.out && !values['dry-run'])
    throw new UsageError('--out is missing', { remedy: 'name the file to write, or use --dry-run' })
  const { retrain, 'stop-loss': loss, 'stop-accuracy': accuracy } = values
  const wanting =
    (retrain > 0 && '--retrain') ||
    (values.soft !== undefined && '--soft') ||
    (loss !== undefined && '--stop-loss') ||
    (accuracy !== undefined && '--stop-accuracy')
  if (wanting && !values.data)
    throw new UsageError(`${wanting} needs --data`, {
      remedy: 'give mnist, idx:DIR, images:DIR, npz:FILE, safetensors:FILE or csv:FILE',
    })
}
