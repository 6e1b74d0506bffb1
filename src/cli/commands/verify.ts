import { readFile } from 'node:fs/promises'
import { EspalierError, UsageError } from '../../base/index.ts'
import { readNpz } from '../../formats/file.ts'
import { parsePlan, shortfallOf, verifyPlan } from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { command, Rejection } from '../command.ts'
import { table } from '../console.ts'
import { onStage } from '../limits/report.ts'
import { loadModelFile } from '../models.ts'
import { limits } from '../options.ts'

export const verify = command({
  name: 'verify',
  summary: 'the equality proof: the original with the removed slices at zero gives what the pruned model gives',
  usage: 'ORIGINAL PRUNED --plan FILE',
  positionals: ['ORIGINAL', 'PRUNED'],
  options: {
    plan: { kind: 'text', value: 'FILE', help: 'the plan that `prune` wrote' },
    inputs: {
      kind: 'text',
      value: 'FILE',
      help: 'an npz file with the inputs to compare on, by name; random ones else',
    },
    seed: {
      kind: 'number',
      value: 'N',
      help: 'seed of the random inputs',
      default: 0,
      min: 0,
      max: limits.seed,
      whole: true,
    },
    tolerance: { kind: 'number', value: 'X', help: 'largest relative difference', default: 1e-4, min: 0 },
  },
  effects: [{ flags: ['seed'], without: ['inputs'] }],
  async run({ positionals: [original = '', pruned = ''], values, console }) {
    if (!values.plan) throw new UsageError('--plan is missing', { remedy: 'give the plan that `espalier prune` wrote' })
    const plan = parsePlan(await textOf(values.plan), values.plan)
    const [before, after] = [await loadModelFile(original), await loadModelFile(pruned)]
    if (plan.source.sha256 !== '' && plan.source.sha256 !== before.source.sha256)
      throw new EspalierError(`the plan is for another file than ${original}`, {
        place: { file: values.plan },
        remedy: `give the ${plan.source.file} it was made for`,
      })
    const inputs = values.inputs ? [Object.fromEntries(await readNpz(values.inputs))] : undefined
    const { seed, tolerance } = values
    const found = await verifyPlan(before.model, after.model, plan, {
      runtime: nodeRuntime,
      seed,
      tolerance,
      onEvent: onStage,
      ...(inputs && { inputs }),
    })
    console.say(
      table(
        ['output', 'inputs', 'relative difference'],
        found.outputs.map(({ output, size, difference }) => [output, size, difference.toExponential(1)]),
      ),
    )
    console.say()
    for (const { size, reason } of found.skipped) console.say(`skipped ${size}: ${reason}`)
    for (const { initializer, reason } of found.changed) console.say(`initializer ${initializer}: ${reason}`)
    const wrong = shortfallOf(found)
    if (wrong !== undefined)
      throw new Rejection(wrong, {
        place: { file: pruned },
        document: found,
        remedy:
          found.approximate.length > 0 && found.changed.length === 0
            ? `the plan removes units of ${found.approximate.join(', ')} approximately, where equality does not hold`
            : 'compare with the file that the pruning itself wrote, before any retraining',
      })
    console.say(`equal: masked original and pruned model differ by ${found.difference.toExponential(1)} at most`)
    return found
  },
})

const textOf = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((error: unknown) => {
    throw new EspalierError('cannot be read', { place: { file: path }, remedy: 'check the path', cause: error })
  })
