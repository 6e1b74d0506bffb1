import { EspalierError } from '../base/index.ts'
import { type Model, type Node, producersOf, readsOf } from '../onnx/index.ts'

/**
 * The value a model's classifier reads, [N, features]: the input of the last Gemm or MatMul with a weight on the way to
 * the first output. In this library's networks it is `features`.
 * @throws EspalierError when no such layer leads to the output.
 */
export const lastHiddenOf = (model: Model): string => {
  const { graph } = model
  const producers = producersOf(graph)
  const inputs = new Set(graph.inputs.map((input) => input.name))
  const isWeight = (name: string): boolean => {
    if (graph.initializers.has(name)) return true
    const node = inputs.has(name) ? undefined : producers.get(name)
    return node !== undefined && readsOf(node).every(isWeight)
  }
  const dataInput = (node: Node): string | undefined => {
    if (node.opType !== 'Gemm' && node.opType !== 'MatMul') return undefined
    const [a = '', b = ''] = node.inputs
    if (isWeight(a) === isWeight(b)) return undefined
    return isWeight(b) ? a : b
  }

  // Breadth first, so that the nearest layer to the output is met first. A Set is walked in order while it grows.
  const reached = new Set(graph.outputs.slice(0, 1).map((output) => output.name))
  for (const name of reached) {
    const node = producers.get(name)
    const found = node && dataInput(node)
    if (found !== undefined) return found
    for (const read of node ? readsOf(node) : []) reached.add(read)
  }
  throw new EspalierError('the model has no Gemm or MatMul with a weight before its output', {
    remedy: 'name the value to look at yourself',
  })
}
