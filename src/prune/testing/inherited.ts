import { float32 } from '../../base/index.ts'
import { type Model, makeGraph, makeModel, makeNode } from '../../onnx/index.ts'

/** Names that every object has. */
export const inheritedNames = [
  ...['__proto__', 'constructor', 'toString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf', 'toLocaleString'],
  ...['propertyIsEnumerable', '__defineGetter__', '__lookupSetter__'],
] as const

const weight = (dims: [number, number] | [number], seed: number) => {
  const size = dims.reduce((a: number, b) => a * b, 1)
  return float32(
    dims,
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7 + seed)),
  )
}

/** Two layers all of whose names, the input's and the output's included, every object has too. */
export const inherited = (order: readonly string[]): Model => {
  const [x, w1, b1, h, r, w2, b2, y, n1, n2] = order as typeof inheritedNames
  const graph = makeGraph(w1)
  graph.inputs = [{ name: x, type: 'float32', dims: [n1, 5] }]
  graph.outputs = [{ name: y, type: 'float32', dims: [n1, 3] }]
  graph.initializers = new Map([
    [w1, weight([8, 5], 1)],
    [b1, weight([8], 2)],
    [w2, weight([3, 8], 3)],
    [b2, weight([3], 4)],
  ])
  graph.nodes = [
    makeNode('Gemm', [x, w1, b1], [h], { transB: 1 }, { name: n1 }),
    makeNode('Relu', [h], [r], {}, { name: n2 }),
    makeNode('Gemm', [r, w2, b2], [y], { transB: 1 }, { name: x }),
  ]
  return makeModel(graph)
}

/** The names in another order. */
export const rotated = (by: number) => [...inheritedNames.slice(by), ...inheritedNames.slice(0, by)]
