import type { Dataset } from '../data/index.ts'
import { batchOf } from '../data/index.ts'
import { encodeModel, type Model } from '../onnx/index.ts'
import { costOf } from '../prune/index.ts'
import { measureLatency } from '../runtime/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { type Evaluation, evaluate, samplesAndLabels } from '../train/index.ts'
import { byteText, grouped, percent, table } from './console.ts'
import { stage } from './limits/report.ts'

/** One network's figures, as `compare` and the demo print and save them. */
export type Stage = {
  readonly name: string
  /** NaN where samples have numbers to meet; how far off the answers are stands in its place then. */
  readonly accuracy: number
  readonly meanError?: number
  readonly explained?: number
  readonly loss: number
  readonly bytes: number
  readonly parameters: number
  readonly macs: number
  /** Median milliseconds of one run of `latencyBatch` samples. */
  readonly latencyMs: number
  /** 10th and 90th percentile. */
  readonly latencyRange: readonly [number, number]
}

export const latencyBatch = 32

/** Everything that is compared, measured on all samples of `data`; judged by `loss`, or by the one that the file states. */
export const measureStage = async (
  name: string,
  model: Model,
  data: Dataset,
  loss?: string,
): Promise<Stage & { readonly evaluation: Evaluation }> => {
  stage('evaluate')
  const evaluation = await evaluate(model, data, { runtime: nodeRuntime, ...(loss !== undefined && { loss }) })
  stage('trace')
  const cost = await costOf(model, { runtime: nodeRuntime })
  stage('measure')
  const session = await nodeRuntime.open(model)
  const batch = batchOf(
    data,
    Array.from({ length: Math.min(latencyBatch, data.size) }, (_, i) => i),
  )
  const { median, p10, p90 } = await measureLatency(session, samplesAndLabels(model)(batch), { warmup: 20, runs: 101 })
  await session.close()
  return {
    name,
    accuracy: evaluation.accuracy,
    ...(evaluation.meanError !== undefined && { meanError: evaluation.meanError }),
    ...(evaluation.explained !== undefined && { explained: evaluation.explained }),
    loss: evaluation.loss,
    bytes: encodeModel(model).byteLength,
    parameters: cost.parameters,
    macs: cost.macs,
    latencyMs: median,
    latencyRange: [p10, p90],
    evaluation,
  }
}

type Rows = [string, (stage: Stage) => string][]

/** Stages side by side, each beside its share of the first. */
export const stageTable = (stages: readonly Stage[]): string[] => {
  const [first] = stages
  const share = (value: number, whole: number) => `${((100 * value) / whole).toFixed(1)} %`
  const rows: Rows = [
    ...(first && Number.isFinite(first.accuracy)
      ? ([['accuracy', ({ accuracy }) => percent(accuracy)]] satisfies Rows)
      : []),
    ...(first?.meanError === undefined
      ? []
      : ([
          ['mean error', ({ meanError = Number.NaN }) => meanError.toPrecision(4)],
          ['variance explained', ({ explained = Number.NaN }) => percent(explained)],
        ] satisfies Rows)),
    ['loss', ({ loss }) => loss.toFixed(4)],
    ['bytes', ({ bytes }) => `${byteText(bytes)} (${share(bytes, first!.bytes)})`],
    ['parameters', ({ parameters }) => `${grouped(parameters)} (${share(parameters, first!.parameters)})`],
    ['MACs', ({ macs }) => `${grouped(macs)} (${share(macs, first!.macs)})`],
    [
      `ms for ${latencyBatch} samples`,
      ({ latencyMs }) => `${latencyMs.toFixed(2)} (${share(latencyMs, first!.latencyMs)})`,
    ],
  ]
  return table(
    ['', ...stages.map(({ name }) => name)],
    rows.map(([label, cell]) => [label, ...stages.map(cell)]),
  )
}
