import { copyModel, GraphBuilder, renameValue } from '../onnx/index.ts'
import type { ModelSource } from './types.ts'

/** What a session's inputs and outputs are called by its caller and by the engine. */
export type Names = { ours(name: string): string; theirs(name: string): string }

/**
 * A model none of whose inputs and outputs is called as something every JavaScript object has: `constructor`, `__proto__`.
 * The engine keeps them in plain objects, where such a name seems to be there when it is not, or cannot be set.
 */
export const withOwnNames = (source: ModelSource): { readonly model: ModelSource; readonly names: Names } => {
  const same: Names = { ours: (name) => name, theirs: (name) => name }
  if ('path' in source || source instanceof Uint8Array) return { model: source, names: same }
  const { inputs, outputs, defaults = [] } = source.graph
  const all = [...inputs, ...outputs].map(({ name }) => name)
  const inherited = [...new Set([...all, ...defaults])].filter((name) => name in Object.prototype)
  if (inherited.length === 0) return { model: source, names: same }

  const model = copyModel(source)
  const builder = new GraphBuilder(model.graph)
  const theirs = new Map(inherited.map((name) => [name, builder.fresh(`value ${name}`)]))
  for (const [from, to] of theirs) renameValue(model.graph, from, to)
  const ours = new Map(Array.from(theirs, ([name, other]) => [other, name]))
  return {
    model,
    names: { ours: (name) => ours.get(name) ?? name, theirs: (name) => theirs.get(name) ?? name },
  }
}
