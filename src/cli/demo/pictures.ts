import { float32Of, sizeOf } from '../../base/index.ts'
import { batchOf, type Dataset } from '../../data/index.ts'
import { lastHiddenOf } from '../../nn/index.ts'
import { copyModel, type Model } from '../../onnx/index.ts'
import type { Analysis, Plan } from '../../prune/index.ts'
import { type Confusion, type GreyPicture, type NetworkLayer, type Plane, tsne } from '../../report/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { type Evaluation, inputOf } from '../../train/index.ts'

/**
 * t-SNE of the values before a model's last layer, for the first `count` samples; from the places they have on another
 * model's map where one is given, so that the two can be compared by eye.
 */
export const mapOf = async (
  model: Model,
  data: Dataset,
  count: number,
  seed: number,
  start?: Plane,
): Promise<Plane> => {
  const hidden = lastHiddenOf(model)
  const copy = copyModel(model)
  copy.graph.outputs = [{ name: hidden, type: 'float32' }]
  const session = await nodeRuntime.open(copy)
  const { inputs } = batchOf(
    data,
    Array.from({ length: count }, (_, i) => i),
  )
  const values = (await session.run({ [inputOf(model)]: inputs }))[hidden]!
  await session.close()
  const points = { rows: count, columns: sizeOf(values.dims) / count, values: float32Of(values) }
  return tsne(points, { seed, ...(start && { start }) })
}

/** How often each class was answered for each class. */
export const confusionOf = (title: string, data: Dataset, { predictions }: Evaluation): Confusion => {
  const counts = data.classes.map(() => data.classes.map(() => 0))
  for (const [sample, answer] of predictions.entries()) counts[data.labels[sample]!]![answer]!++
  return { title, classes: data.classes, counts }
}

/** A sample's stored pixels. */
export const pictureOf = (data: Dataset, sample: number): GreyPicture => {
  const [height = 1, width = 1] = data.sampleDims.slice(-2)
  const row = data.rows?.[sample] ?? sample
  return { width, height, pixels: [...data.inputs.subarray(row * height * width, (row + 1) * height * width)] }
}

/** The samples two networks answer differently, those one of them gets right first. */
export const changedAnswers = (data: Dataset, before: Evaluation, after: Evaluation) =>
  Array.from(before.predictions, (answer, index) => ({
    index,
    label: data.labels[index]!,
    before: answer,
    after: after.predictions[index]!,
  }))
    .filter((image) => image.before !== image.after)
    .map((image) => ({ ...image, picture: pictureOf(data, image.index) }))

/** The layers of a chain with their widths before and after. */
export const drawingOf = ({ model, shapes }: Analysis, plan: Plan): NetworkLayer[] => {
  const input = inputOf(model)
  const widthOf = (name: string) => shapes.get(name)?.dims ?? []
  const layers = model.graph.nodes.flatMap((node): NetworkLayer[] => {
    const weight = node.inputs[1] ?? ''
    if (!model.graph.initializers.has(weight) || (node.opType !== 'Conv' && node.opType !== 'Gemm')) return []
    const [, channels = 1, ...size] = widthOf(node.outputs[0]!)
    const group = plan.groups.find(({ members }) =>
      members.some(({ initializer, axis }) => initializer === weight && axis === 0),
    )
    const frozen = plan.frozen.find(({ value, axis }) => value === weight && axis === 0)
    const kernel = widthOf(weight).slice(2)
    return [
      {
        name: weight.replace(/\.weight$/, ''),
        kind: kernel.length > 0 ? `${node.opType} ${kernel.join('×')}` : `dense (${node.opType})`,
        channels,
        ...(size.length > 0 && { size }),
        ...(group && { kept: group.kept, group: group.name }),
        ...(frozen && { frozen: frozen.reason }),
      },
    ]
  })
  const [, channels = 1, ...size] = widthOf(input)
  return [{ name: 'input', kind: 'image', channels, size }, ...layers]
}
