import { join } from 'node:path'
import { separateMerged } from '../../autodiff/index.ts'
import { writeFileAtomic } from '../../base/files.ts'
import { UsageError } from '../../base/index.ts'
import { preprocessingText, withPreprocessing } from '../../data/index.ts'
import { writeModel } from '../../onnx/file.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import {
  fixedBatch,
  freeBatch,
  loadCheckpoint,
  openJournal,
  train as run,
  samplesInputOf,
  saveCheckpoint,
  type TrainEvent,
  type TrainResult,
  type TrainState,
  telemetryLines,
} from '../../train/node.ts'
import { type Command, command } from '../command.ts'
import { grouped } from '../console.ts'
import { searchRate } from '../find-lr.ts'
import { headOptions, withHead } from '../heads.ts'
import { saidLoss } from '../losses.ts'
import { loadModel, loadModelFile } from '../models.ts'
import { checkFolder } from '../outputs.ts'
import { answersText, interruption, showTraining } from '../progress.ts'
import { checkpointsFrom, inRunFolder } from '../run-folder.ts'
import { commandLine, writeRunReport } from '../run-report.ts'
import { trainingFrom, trainingSections } from '../runs.ts'
import { sampleOptions, samplesFor } from '../samples.ts'
import { trainEffects, trainOptions } from '../train/flags.ts'
import { settingsOf } from '../train/settings.ts'
import { sayTrained, trainedParameters } from '../trained.ts'

export const train: Command = command({
  name: 'train',
  summary: 'trains an ONNX file or a network named seed-cnn, tf-cnn, lenet-5, lenet-300-100, vgg-small, resnet-20',
  usage: 'MODEL --data SPEC --out DIR',
  positionals: ['MODEL'],
  options: trainOptions,
  effects: trainEffects,
  sections: {
    ...trainingSections,
    'what is trained': { ...trainingSections['what is trained'], ...headOptions },
    'samples, where the model’s file does not state it': sampleOptions,
  },
  resumable: (values) => !values['find-lr'],
  async run({ positionals: [name = ''], values, console, interrupt }) {
    const { out, epochs, seed } = values
    if (!values.data)
      throw new UsageError('--data is missing', {
        remedy: 'give mnist, idx:DIR, images:DIR, npz:FILE, safetensors:FILE or csv:FILE',
      })
    if (!out && !values['find-lr'])
      throw new UsageError('--out is missing', { remedy: 'name a folder for what the run writes' })
    if (out) await checkFolder(out)
    if (!(epochs > 0)) throw new UsageError(`${epochs} epochs make no sense`, { remedy: 'give a number above 0' })
    const { model: loaded, source } = await loadModel(name, seed)
    const given = await freeBatch(separateMerged(loaded), nodeRuntime)
    const teacher = values.teacher ? (await loadModelFile(values.teacher)).model : undefined
    const asksHead = values['new-head'] || values.classes !== undefined
    const {
      train: data,
      test,
      preprocessing,
      splitSeed,
    } = await samplesFor(given, values.data, {
      ...{ seed, values, classes: values.classes, ignore: values['ignore-index'], renamed: asksHead },
      ...{ loss: values.loss, taught: values.teacher !== undefined },
    })
    const { model, head } = withHead(given, values, data)
    const { close, ...training } = await trainingFrom(model, values, {
      ...{ data, epochs, lr: 1e-3 },
      ...(teacher && { teacher, order: preprocessing.order }),
    })

    if (values['find-lr'] || !out) return searchRate(model, training, out, console).finally(close)

    const { trainable } = training
    const settings = settingsOf(values, {
      ...{ model: source ? source.sha256 : name, data: values.data, preprocessing, splitSeed },
      ...{ head: head?.to, trainable },
    })
    return inRunFolder(out, values, async () => {
      const resume = values.resume ? await loadCheckpoint(out, settings) : undefined
      if (values.resume && !resume) console.say(`no checkpoint in ${out}: starting from the beginning`)
      const done = resume?.step ?? 0
      const journal = openJournal(join(out, 'metrics.jsonl'), done, resume?.evaluationDue)
      const show = showTraining(console)
      const started = performance.now()
      const gather = telemetryLines((line) => line.step > done && journal.write(line))
      const parameters = trainedParameters(model, values)
      sayTrained(parameters, name, console)
      const exported = fixedBatch(loaded)
      if (exported !== undefined) console.say(`exported for batches of ${exported}: the trained file takes any`)
      if (head)
        console.say(`new head ${head.layer}: ${head.from} → ${head.to} classes, ${head.drawn.join(' and ')} drawn anew`)
      console.say(
        `${grouped(data.size)} samples to train on, ${grouped(test.size)} to test on; ${preprocessingText(preprocessing)}`,
      )
      try {
        const onEvent = (event: TrainEvent) => {
          show(event)
          gather(event)
          // The last evaluation of a run that was done already is made again, and written only where it was due.
          const fresh =
            'step' in event && (event.step > done || (event.type === 'evaluation' && resume?.evaluationDue === true))
          if ((event.type === 'evaluation' || event.type === 'step' || event.type === 'skipped') && fresh)
            journal.write(event)
        }
        const options = {
          ...training,
          test,
          evaluateEvery: values['evaluate-every'],
          evaluateSamples: values['evaluate-samples'],
          recalibrate: values.recalibrate,
          telemetryEvery: values['telemetry-every'],
          ...checkpointsFrom(values),
          ...(resume && { resume }),
          save: async (state: TrainState) => {
            // The lines up to here first, or a kill in between would lose them.
            await journal.flush()
            return saveCheckpoint(out, state, model, settings)
          },
          onEvent,
        }
        const result = await interrupt.orderly(
          (signal) => run(model, { ...options, signal }),
          (found) => interruption(found),
        )
        await journal.flush()
        await writeModel(
          join(out, 'model.onnx'),
          withPreprocessing(result.model, preprocessing, data.classes, { loss: saidLoss(values), splitSeed }),
        )
        const document = {
          model: join(out, 'model.onnx'),
          steps: result.state.step,
          loss: result.loss,
          accuracy: result.accuracy ?? null,
          ...numbersOf(result.evaluation),
          input: samplesInputOf(model),
          classes: data.classes,
          preprocessing,
          trained: parameters.flatMap(({ name, reason }) => (reason === undefined ? [name] : [])),
          leftOut: parameters.flatMap(({ name, reason }) => (reason === undefined ? [] : [{ name, reason }])),
          settings,
        }
        await writeFileAtomic(join(out, 'run.json'), `${JSON.stringify(document, null, 2)}\n`)
        const report = await writeRunReport(out, {
          ...{ model: name, samples: data.size, parameters, values, settings },
          command: commandLine(['train', name], values, train.options),
          // A resumed run does not know how long its earlier parts took.
          ...(done === 0 && { seconds: (performance.now() - started) / 1000 }),
        })
        console.say()
        console.say(
          `${document.model}: ${grouped(result.state.step)} step${result.state.step === 1 ? '' : 's'}${result.evaluation ? `, test ${answersText(result.evaluation, ['', ', '])} on ${grouped(test.size)} samples` : ''}`,
        )
        console.say(`how it went: ${report}`)
        return document
      } finally {
        await journal.close()
        await close()
      }
    })
  },
})

/** How far off the answers to the test samples are, where those have numbers to meet. */
const numbersOf = (evaluation: TrainResult['evaluation']) =>
  evaluation?.meanError === undefined
    ? {}
    : { testLoss: evaluation.loss, meanError: evaluation.meanError, explained: evaluation.explained ?? null }
