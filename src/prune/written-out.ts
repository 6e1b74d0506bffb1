import { copyModel, isControl, knownOf, liftConstants, type Model, unrollControl } from '../onnx/index.ts'
import { constants, type Runtime, trace, type Values } from '../runtime/index.ts'

/**
 * A model with its control flow written out as it goes in one run: the branches taken, the bodies as often as they run. Good
 * for counting what that run costs; another size or other numbers may take another course. What cannot be written out stays.
 */
export const writtenOut = async (original: Model, runtime: Runtime, feeds: Values): Promise<Model> => {
  if (!original.graph.nodes.some(isControl)) return original
  const model = copyModel(original)
  liftConstants(model.graph)
  for (;;) {
    const shapes = await trace(runtime, model, feeds)
    const known = new Map([
      ...Object.entries(await courses(model, runtime, feeds)),
      ...(await constants(runtime, model, { shapes })),
      ...model.graph.initializers,
    ])
    const course = knownOf(model, { types: shapes, constant: (name) => known.get(name) })
    if (!unrollControl(course)) return model
  }
}

/** What decides the course of control flow in this run: conditions, and numbers of rounds. */
const courses = async (model: Model, runtime: Runtime, feeds: Values): Promise<Values> => {
  const probe = copyModel(model)
  const made = new Set(model.graph.nodes.flatMap(({ outputs }) => outputs))
  const deciding = model.graph.nodes.flatMap(({ domain, opType, inputs }) =>
    domain !== '' ? [] : opType === 'If' ? inputs.slice(0, 1) : opType === 'Loop' ? inputs.slice(0, 2) : [],
  )
  const names = [...new Set(deciding)].filter((name) => made.has(name))
  if (names.length === 0) return {}
  probe.graph.outputs = names.map((name) => ({ name, type: 'undefined' }))
  const session = await runtime.open(probe)
  return session.run(feeds).finally(() => session.close())
}
