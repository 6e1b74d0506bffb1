import { copyModel, type Model, removeDead } from '../../onnx/index.ts'
import type { Session } from '../../runtime/index.ts'
import { copyWeights, type EngineBatch, type EngineOptions, prepare, weightFeeds } from '../../train/index.ts'

/** The first half of a training step alone: the loss, from the batch's own statistics, and no gradient. */
export const openForwardOfStep = async (
  model: Model,
  options: EngineOptions,
  example: EngineBatch,
): Promise<{ run(): ReturnType<Session['run']>; close(): Promise<void> }> => {
  const { graph, session: whole } = await prepare(model, options, example)
  await whole.close()
  const forward = copyModel(graph.model)
  const wanted = new Set([graph.loss, graph.output, ...graph.updates.map(({ value }) => value)])
  forward.graph.outputs = forward.graph.outputs.filter(({ name }) => wanted.has(name))
  removeDead(forward.graph)
  const weights = copyWeights(model, [
    ...graph.gradients.keys(),
    ...graph.updates.map(({ initializer }) => initializer),
  ])
  const feeds = { ...weightFeeds(model, weights), ...example.inputs, ...example.targets }
  const session = await options.runtime.open(forward, options.threads === undefined ? {} : { threads: options.threads })
  return { run: () => session.run(feeds), close: () => session.close() }
}
