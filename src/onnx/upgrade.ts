import { float32, int64, own, UnsupportedError } from '../base/index.ts'
import { GraphBuilder } from './builder.ts'
import { opsetOf } from './graph.ts'
import { floatOf, floatsOf, intOf, makeNode, nodeLabel, stringOf, subgraphsOf } from './node.ts'
import type { Graph, Model, Node } from './types.ts'
import { earlyUpgrades } from './upgrade-early.ts'

/** Rewrites one node for a newer operator set: in place, or by returning the nodes that take its place. */
type Upgrade = (node: Node, b: GraphBuilder) => Node[] | undefined

/** What changed meaning in each version, from ONNX's changelog (Operators' "Version converter" notes). */
const upgrades: { readonly [version: number]: { readonly [opType: string]: Upgrade } } = {
  ...earlyUpgrades,
  9: {
    Scan: batchedScan,
    BatchNormalization: (node) => void node.attributes.delete('spatial'),
    Upsample: scalesToInput,
  },
  10: {
    Slice: (node, b) => attributesToInputs(node, b, ['starts', 'ends', 'axes']),
    TopK: (node, b) => attributesToInputs(node, b, ['k']),
    Upsample: upsampleToResize,
    Dropout: dropUnusedMask,
  },
  11: {
    Clip: clipBoundsToInputs,
    Pad: padsToInputs,
    Resize: resizeTen,
    Scatter: (node) => void Object.assign(node, { opType: 'ScatterElements' }),
  },
  12: { Dropout: ratioToInput },
  13: {
    Squeeze: (node, b) => attributesToInputs(node, b, ['axes']),
    Unsqueeze: (node, b) => attributesToInputs(node, b, ['axes']),
    ReduceSum: (node, b) => attributesToInputs(node, b, ['axes']),
    Split: (node, b) => attributesToInputs(node, b, ['split']),
    Softmax: flattenedSoftmax,
    LogSoftmax: flattenedSoftmax,
    Hardmax: flattenedSoftmax,
  },
  14: { BatchNormalization: (node) => void node.outputs.splice(1) },
  16: {
    RoiAlign: (node) =>
      void node.attributes.set('coordinate_transformation_mode', {
        type: 'STRING',
        value: new TextEncoder().encode('output_half_pixel'),
      }),
  },
}

/**
 * Raises a model to an operator set of at least `target` (17 at most), in place: what was an attribute becomes an input,
 * what was renamed is renamed. A model at or above it is left alone.
 * @throws UnsupportedError naming a node whose older form has none in the newer set
 */
export const upgradeOpset = (model: Model, target: number): Model => {
  const from = opsetOf(model)
  if (from >= target) return model
  for (let version = from + 1; version <= target; version++) upgradeGraph(model.graph, upgrades[version] ?? {})
  model.opsets.delete('ai.onnx')
  model.opsets.set('', target)
  return model
}

const upgradeGraph = (graph: Graph, rules: { readonly [opType: string]: Upgrade }) => {
  const builder = new GraphBuilder(graph, 'upgrade', [])
  graph.nodes = graph.nodes.flatMap((node) => {
    for (const inner of subgraphsOf(node)) upgradeGraph(inner, rules)
    if (node.domain !== '' && node.domain !== 'ai.onnx') return [node]
    rules['*']?.(node, builder)
    return own(rules, node.opType)?.(node, builder) ?? [node]
  })
}

/** Moves INT or INTS attributes to the inputs that follow the first, in order; absent ones leave ''. */
function attributesToInputs(node: Node, b: GraphBuilder, names: readonly string[]): undefined {
  for (const [i, name] of names.entries()) {
    const found = node.attributes.get(name)
    const values = found?.type === 'INT' ? [found.value] : found?.type === 'INTS' ? found.value : undefined
    node.attributes.delete(name)
    node.inputs[i + 1] = values ? b.constant(int64([values.length], values), name) : ''
  }
  trimInputs(node)
}

const trimInputs = (node: Node) => {
  while (node.inputs.at(-1) === '') node.inputs.pop()
}

function clipBoundsToInputs(node: Node, b: GraphBuilder): undefined {
  for (const [i, name] of ['min', 'max'].entries()) {
    const bound = floatOf(node, name, undefined)
    node.attributes.delete(name)
    node.inputs[i + 1] = bound === undefined ? '' : b.scalar(bound, name)
  }
  trimInputs(node)
}

function padsToInputs(node: Node, b: GraphBuilder): undefined {
  const value = floatOf(node, 'value', 0)
  attributesToInputs(node, b, ['pads'])
  node.attributes.delete('value')
  if (value !== 0) node.inputs[2] = b.scalar(value)
}

function ratioToInput(node: Node, b: GraphBuilder): undefined {
  node.inputs[1] = b.scalar(floatOf(node, 'ratio', 0.5), 'ratio')
  node.attributes.delete('ratio')
}

/** Dropout's mask was float before opset 10; at inference nobody reads it. */
function dropUnusedMask(node: Node): undefined {
  node.outputs.splice(1)
}

/** Scan ran over a whole batch then, each of its sequences as long as an input said. */
function batchedScan(node: Node): undefined {
  throw new UnsupportedError('Scan of opset 8, over batches', {
    place: { node: nodeLabel(node), operator: 'Scan' },
    remedy: 'export the model again with a newer opset',
  })
}

function scalesToInput(node: Node, b: GraphBuilder): undefined {
  const scales = floatsOf(node, 'scales', undefined)
  if (!scales)
    throw new UnsupportedError('Upsample without scales', { place: { node: nodeLabel(node), operator: node.opType } })
  node.attributes.delete('scales')
  node.inputs[1] = b.constant(float32([scales.length], scales), 'scales')
}

function upsampleToResize(node: Node): Node[] {
  return [
    makeNode('Resize', node.inputs, node.outputs, { mode: stringOf(node, 'mode', 'nearest') }, { name: node.name }),
  ]
}

/** Resize-10 samples as later versions do with 'asymmetric' coordinates and 'floor'. */
function resizeTen(node: Node, b: GraphBuilder): Node[] {
  const noRegion = b.constant(float32([0], []), 'roi')
  const attributes = {
    mode: stringOf(node, 'mode', 'nearest'),
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  }
  return [
    makeNode('Resize', [node.inputs[0]!, noRegion, node.inputs[1]!], node.outputs, attributes, { name: node.name }),
  ]
}

/**
 * Before opset 13 Softmax and its kin saw their input as a matrix, all axes from `axis` on being one.
 * Flatten → Softmax over the columns → the old shape says the same in any version.
 */
function flattenedSoftmax(node: Node, b: GraphBuilder): Node[] {
  const axis = intOf(node, 'axis', 1)
  const [input, output] = [node.inputs[0]!, node.outputs[0]!]
  if (axis === -1) return [node]
  const [flat, soft, shape] = [b.fresh('flat'), b.fresh('soft'), b.fresh('shape')]
  return [
    makeNode('Flatten', [input], [flat], { axis }),
    makeNode(node.opType, [flat], [soft], { axis: 1 }, { name: node.name }),
    makeNode('Shape', [input], [shape]),
    makeNode('Reshape', [soft, shape], [output]),
  ]
}
