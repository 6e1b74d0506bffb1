import { gradientParity } from '../../autodiff/index.ts'
import { UsageError } from '../../base/index.ts'
import { readSafetensors, writeSafetensors } from '../../formats/file.ts'
import { readModel } from '../../onnx/file.ts'
import { decodeTrace, replay } from '../../optim/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { webRuntime } from '../../runtime/web.ts'
import { command, Rejection } from '../command.ts'
import { type Console, table } from '../console.ts'
import { checkDistinct, checkWritable } from '../outputs.ts'

export const parity = command({
  name: 'parity',
  summary: "gradients and optimizers against other systems' recorded answers",
  usage: 'gradients MODEL CASE | optimizer TRACE',
  positionals: ['gradients|optimizer', 'FILE…'],
  options: {
    out: { kind: 'text', value: 'FILE', help: 'gradients: writes them as safetensors, grad:NAME each' },
    runtime: {
      kind: 'choice',
      among: ['node', 'web'],
      help: 'gradients: the engine that computes them',
      default: 'node',
    },
    tolerance: { kind: 'number', value: 'X', help: 'largest relative error', min: 0 },
  },
  effects: [{ flags: ['out', 'runtime'], with: ['gradients'] }],
  async run({ positionals: [what = '', ...files], values, console }) {
    if (what === 'gradients') return gradients(files, values, console)
    if (what === 'optimizer') return optimizer(files, values.tolerance, console)
    throw new UsageError(`there is no parity of '${what}'`, { remedy: 'use gradients or optimizer' })
  },
})

const gradients = async (
  [model = '', recorded, ...more]: readonly string[],
  values: { out: string | undefined; runtime: string; tolerance: number | undefined },
  console: Console,
) => {
  if (!recorded || more.length > 0)
    throw new UsageError('a model and a case are needed', { remedy: 'write: espalier parity gradients MODEL CASE' })
  checkDistinct({ MODEL: model, CASE: recorded, '--out': values.out })
  await checkWritable(values.out)
  const runtime = values.runtime === 'web' ? webRuntime : nodeRuntime
  const found = await gradientParity(runtime, await readModel(model), await readSafetensors(recorded))
  const { tolerance = 1e-4 } = values
  if (values.out)
    await writeSafetensors(
      values.out,
      new Map(found.parameters.map(({ name, gradient }) => [`grad:${name}`, gradient])),
      { source: 'espalier' },
    )
  console.say(
    table(
      ['parameter', '‖g − ref‖ / ‖ref‖'],
      found.parameters.map(({ name, error, vanishes }) => [name, `${error.toExponential(1)}${vanishes ? ' *' : ''}`]),
    ),
  )
  console.say()
  console.say(`loss ${found.loss} (recorded ${found.recordedLoss})`)
  if (found.parameters.some(({ vanishes }) => vanishes))
    console.say('* the reference is zero but for rounding: measured against the largest gradient')
  const worst = Math.max(...found.parameters.map(({ error }) => error))
  const document = {
    loss: found.loss,
    recordedLoss: found.recordedLoss,
    tolerance,
    worst,
    parameters: Object.fromEntries(found.parameters.map(({ name, error, vanishes }) => [name, { error, vanishes }])),
  }
  if (!(worst <= tolerance))
    throw new Rejection(`the largest relative error is ${worst.toExponential(1)}, more than ${tolerance}`, {
      place: { file: recorded },
      document,
    })
  console.say(
    `all ${found.parameters.length} parameters within ${tolerance}: the largest error is ${worst.toExponential(1)}`,
  )
  return document
}

const optimizer = async ([file = '', ...more]: readonly string[], asked: number | undefined, console: Console) => {
  if (more.length > 0) throw new UsageError('one trace at a time', { remedy: 'write: espalier parity optimizer TRACE' })
  const trace = decodeTrace(await readSafetensors(file), file)
  const found = replay(trace)
  const tolerance = asked ?? (/muon|soap|prodigy/i.test(trace.source) ? 5e-5 : 2e-6)
  const all = [...found.errors, ...found.evaluation.map((entry) => ({ ...entry, step: trace.steps.length }))]
  const worst = trace.parameters.map(({ name }) =>
    all.filter(({ parameter }) => parameter === name).reduce((a, b) => (b.error > a.error ? b : a)),
  )
  console.say(`${trace.source} ${JSON.stringify(trace.options)}`)
  console.say(
    table(
      ['parameter', 'largest error', 'at step'],
      worst.map(({ parameter, error, step }) => [parameter, error.toExponential(1), String(step)]),
    ),
  )
  console.say()
  const document = { source: trace.source, options: trace.options, tolerance, ...found }
  if (!(found.worst <= tolerance))
    throw new Rejection(`the largest relative error is ${found.worst.toExponential(1)}, more than ${tolerance}`, {
      place: { file },
      document,
    })
  console.say(`every parameter within ${tolerance} at every one of ${trace.steps.length} steps`)
  return document
}
