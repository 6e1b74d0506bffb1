import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import type { Model } from '../onnx/index.ts'
import { lineChartFile } from '../report/index.ts'
import { type FoundLr, findLr, type TrainOptions } from '../train/node.ts'
import { bar, type Console, sparkline, table } from './console.ts'
import { stage } from './limits/report.ts'

/** Runs the learning-rate range test and shows its curve; into `out`, where given, go find-lr.json and find-lr.svg. */
export const searchRate = async (
  model: Model,
  training: Omit<TrainOptions, 'onEvent'>,
  out: string | undefined,
  console: Console,
) => {
  const found = await findLr(model, {
    ...training,
    onEvent: (event) => {
      stage('train')
      if (event.type === 'point')
        console.progress(
          `trying rates ${bar(event.step / event.steps)}  rate ${rate(event.lr)}  loss ${event.smoothed.toFixed(4)}`,
        )
    },
  })
  sayFound(found, console)
  const { suggestion = null, lowest = null, diverged, points } = found
  const document = { suggestion, lowest, diverged, points }
  if (out) {
    await mkdir(out, { recursive: true })
    await writeFileAtomic(join(out, 'find-lr.json'), `${JSON.stringify(document, null, 1)}\n`)
    await writeFileAtomic(join(out, 'find-lr.svg'), chartOf(found))
    console.say(`the curve is in ${join(out, 'find-lr.svg')} and find-lr.json`)
  }
  return document
}

const rate = (lr: number): string => lr.toExponential(1)

const sayFound = ({ points, suggestion, lowest, diverged }: FoundLr, console: Console): void => {
  const every = Math.ceil(points.length / 12)
  console.say(
    table(
      ['rate', 'loss, averaged'],
      points.filter((_, i) => i % every === 0).map(({ lr, smoothed }) => [rate(lr), smoothed.toFixed(4)]),
    ),
  )
  // A loss that ran away would leave the rest of the curve flat.
  const start = points[0]?.smoothed ?? 0
  console.say(`loss against rate: ${sparkline(points.map(({ smoothed }) => Math.min(smoothed, 1.5 * start)))}`)
  console.say(diverged ? 'the loss ran away at the end' : 'the loss held out to the last rate')
  console.say(
    suggestion === undefined
      ? 'the loss never fell: no rate can be suggested'
      : `it fell fastest at ${rate(suggestion)}: train with --lr ${rate(suggestion)}; it was least at ${rate(lowest ?? suggestion)}, which is too much`,
  )
}

const chartOf = ({ points, suggestion }: FoundLr): string => {
  const most = 1.5 * (points[0]?.smoothed ?? 1)
  const exponent = (lr: number) => Math.log10(lr)
  return lineChartFile({
    title: 'Loss as the learning rate grows',
    x: 'log₁₀ of the rate',
    y: 'loss, averaged',
    curves: [
      {
        name: 'training batches',
        points: points.filter(({ smoothed }) => smoothed < most).map(({ lr, smoothed }) => [exponent(lr), smoothed]),
      },
    ],
    ...(suggestion !== undefined && { marks: [{ step: exponent(suggestion), label: rate(suggestion) }] }),
  })
}
