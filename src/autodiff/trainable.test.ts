import { expect, test } from 'vitest'
import { float32, type Tensor } from '../base/index.ts'
import { type Graph, makeGraph, makeNode } from '../onnx/index.ts'
import { parametersIn, trainableInitializers } from './index.ts'

const filled = (dims: readonly number[], value = 0.5): Tensor =>
  float32(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value))

/** A graph that holds a number of each kind. */
const everyKind = (): Graph => {
  const graph = makeGraph('kinds')
  graph.inputs.push({ name: 'image', type: 'float32', dims: ['N', 3, 8, 8] })
  for (const [name, tensor] of Object.entries({
    mean: filled([1, 3, 1, 1]),
    std: filled([3, 1, 1]),
    'conv1.weight': filled([4, 3, 3, 3]),
    'conv1.bias': filled([4]),
    'bn1.weight': filled([4]),
    'bn1.bias': filled([4]),
    'bn1.running_mean': filled([4]),
    'bn1.running_var': filled([4]),
    six: filled([], 6),
    layer_scale: filled([4, 1, 1]),
    slope: filled([1]),
    causal: filled([8, 8], -1e9),
    position: filled([8, 8]),
    half: { type: 'float16', dims: [4, 1, 1], bytes: new Uint8Array(8) } as const,
    scales: filled([4], 2),
    unused: filled([9]),
    shape: { type: 'int64', dims: [2], bytes: new Uint8Array(16) } as const,
  }))
    graph.initializers.set(name, tensor)
  graph.nodes.push(
    makeNode('Sub', ['image', 'mean'], ['shifted']),
    makeNode('Div', ['shifted', 'std'], ['normal']),
    makeNode('Conv', ['normal', 'conv1.weight', 'conv1.bias'], ['c'], {}, { name: '/conv1/Conv' }),
    makeNode('BatchNormalization', ['c', 'bn1.weight', 'bn1.bias', 'bn1.running_mean', 'bn1.running_var'], ['b']),
    makeNode('Clip', ['b', '', 'six'], ['k']),
    makeNode('Mul', ['k', 'layer_scale'], ['m'], {}, { name: '/scale/Mul' }),
    makeNode('PRelu', ['m', 'slope'], ['p']),
    makeNode('Add', ['p', 'causal'], ['q']),
    makeNode('Add', ['q', 'position'], ['r']),
    makeNode('Mul', ['r', 'half'], ['s']),
    makeNode('Resize', ['s', '', 'scales'], ['t']),
    makeNode('Mul', ['t', 'six'], ['u']),
  )
  graph.outputs.push({ name: 'u', type: 'float32' })
  return graph
}

test('weights are trained, and everything else is left out for a reason', () => {
  const graph = everyKind()
  expect(trainableInitializers(graph)).toEqual([
    ...['conv1.weight', 'conv1.bias', 'bn1.weight', 'bn1.bias', 'layer_scale', 'slope', 'position'],
  ])
  const reasons = Object.fromEntries(parametersIn(graph).map(({ name, reason }) => [name, reason]))
  expect(reasons).toMatchObject({
    mean: 'it prepares the input',
    std: 'it prepares the input',
    'bn1.running_mean': 'a running statistic',
    'bn1.running_var': 'a running statistic',
    six: 'a setting of Clip',
    causal: 'a mask',
    half: 'it is float16, and only float32 is trained',
    scales: 'a setting of Resize',
    unused: 'no node reads it',
  })
  expect(Object.keys(reasons)).not.toContain('shape')
})

test('layers are told by the names, or by the nodes where those say nothing', () => {
  const found = Object.fromEntries(parametersIn(everyKind()).map((p) => [p.name, [p.layer, p.operator]]))
  expect(found['conv1.weight']).toEqual(['conv1', 'Conv'])
  expect(found['conv1.bias']).toEqual(['conv1', 'Conv'])
  expect(found.layer_scale).toEqual(['/scale/Mul', 'Mul'])
  expect(found.unused).toEqual(['unused', ''])
})
