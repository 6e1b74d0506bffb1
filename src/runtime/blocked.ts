import { float32, float32Of, sizeOf, type TensorType } from '../base/index.ts'
import { intOf, intsOf, type Model, makeGraph, makeModel, makeNode, type Node, removeDead } from '../onnx/index.ts'
import { type Blocks, blocksOf, roundUp } from './blocks.ts'
import type { Runtime } from './types.ts'

/** The operator domain of ONNX Runtime's blocked layout (its own optimizer's output, which its CPU provider runs). */
const domain = 'com.microsoft.nchwc'

/**
 * How many channels the engine's CPU kernels keep side by side: 16 or 8 where they have vector instructions for it, 1
 * where the engine has no such kernels (WebAssembly). Found by asking: ReorderInput pads channels to a whole block.
 */
export const blockSizeOf = (runtime: Runtime): Promise<number> => {
  const found = blockSizes.get(runtime) ?? askBlockSize(runtime)
  blockSizes.set(runtime, found)
  return found
}

const blockSizes = new WeakMap<Runtime, Promise<number>>()

const askBlockSize = async (runtime: Runtime): Promise<number> => {
  const graph = makeGraph('block')
  graph.inputs = [{ name: 'x', type: 'float32', dims: [1, 4, 1, 1] }]
  graph.outputs = [{ name: 'y', type: 'float32' }]
  graph.nodes = [makeNode('ReorderInput', ['x'], ['y'], {}, { domain })]
  const model = makeModel(graph)
  model.opsets.set(domain, 1)
  try {
    const session = await runtime.open(model)
    const { y } = await session.run({ x: float32([1, 4, 1, 1], [1, 2, 3, 4]) })
    await session.close()
    return float32Of(y!).length
  } catch {
    return 1
  }
}

/**
 * Rewrites the convolutions whose kernels are not constants, in place, for the engine's blocked layout: ONNX Runtime does
 * this by itself only where it can reorder the kernel once, when the model is opened, and so never for weights in training.
 * Each becomes reorder → blocked convolution → reorder back; what it computes is the same.
 *
 * @param types shapes of all values (`trace`)
 * @param block from `blockSizeOf`; with 1 nothing is changed
 */
export const blockConvolutions = (model: Model, types: ReadonlyMap<string, TensorType>, block: number): void => {
  if (block < 2) return
  const { graph } = model
  const read = graph.nodes
  graph.nodes = []
  const blocks = blocksOf(graph, types, block, domain)
  for (const node of read) {
    blocks.note(node)
    const filter = types.get(node.inputs[1] ?? '')
    const lowered =
      isPlain(node, types) && filter && !graph.initializers.has(node.inputs[1]!)
        ? lower(node, filter.dims, types, blocks, block)
        : undefined
    if (lowered === undefined) {
      graph.nodes.push(node)
      continue
    }
    const channels = types.get(node.outputs[0]!)!.dims[1]!
    graph.nodes.push(makeNode('ReorderOutput', [lowered], node.outputs, { channels }, { domain }))
  }
  // A kernel brought into blocks another way than it was is left behind, and the engine would make it all the same.
  removeDead(graph)
  model.opsets.set(domain, 1)
}

/** A two-dimensional convolution of float32 values. */
const isPlain = (node: Node, types: ReadonlyMap<string, TensorType>): boolean =>
  (node.opType === 'Conv' || node.opType === 'ConvTranspose') &&
  node.domain === '' &&
  [...node.inputs.slice(0, 2), node.outputs[0]!].every((name) => {
    const type = types.get(name)
    return type?.type === 'float32' && type.dims.length === 4
  })

/** The node's output in blocks, or nothing where it would gain nothing. */
const lower = (
  node: Node,
  filter: readonly number[],
  types: ReadonlyMap<string, TensorType>,
  blocks: Blocks,
  block: number,
): string | undefined => {
  const [x = '', w = '', bias = ''] = node.inputs
  const [input, output] = [types.get(x)!.dims, types.get(node.outputs[0]!)!.dims]
  const [channels = 0, outputs = 0, group] = [input[1], output[1], intOf(node, 'group', 1)]
  const depthwise = group > 1 && group === channels && group === outputs
  const missing = roundUp(outputs, block) - outputs
  const attributes = { ...kept(node), group: depthwise ? outputs + missing : 1, kernel_shape: filter.slice(2) }
  const run = (...inputs: string[]) => blocks.b.op('Conv', inputs, attributes, { domain })

  if (node.opType === 'ConvTranspose') {
    const pads = depthwise && !bias ? transposedPads(node, filter.slice(2), input.slice(2), output.slice(2)) : undefined
    if (!pads) return undefined
    const strides = intsOf(node, 'strides', [1, 1])
    Object.assign(attributes, { pads, strides: [1, 1] })
    return run(blocks.spread(x, strides), blocks.depthwiseKernel(blocks.flipped(w), filter))
  }
  if (!(depthwise || group === 1) || outputs * 2 <= block || sizeOf(input.slice(2)) === 1) return undefined
  const inputs = depthwise
    ? [blocks.of(x), blocks.depthwiseKernel(w, filter)]
    : [channels < block ? x : blocks.of(x), blocks.kernel(w, filter)]
  return run(...inputs, ...(bias ? [blocks.vector(bias, missing)] : []))
}

/**
 * A transposed convolution is a convolution of its input, zeros between the positions, with the flipped kernel: padded by
 * span − 1 − pad in front, and behind so that the size comes out. Nothing where that is less than none.
 */
const transposedPads = (
  node: Node,
  kernel: readonly number[],
  input: readonly number[],
  output: readonly number[],
): number[] | undefined => {
  if (node.attributes.has('auto_pad') || node.attributes.has('output_shape')) return undefined
  const strides = intsOf(node, 'strides', [1, 1])
  const dilations = intsOf(node, 'dilations', [1, 1])
  const pads = intsOf(node, 'pads', [0, 0, 0, 0])
  const span = kernel.map((k, i) => (k - 1) * dilations[i]! + 1)
  const front = span.map((s, i) => s - 1 - pads[i]!)
  const back = span.map((s, i) => output[i]! + s - 1 - front[i]! - input[i]! * strides[i]!)
  return [...front, ...back].every((n) => n >= 0) ? [...front, ...back] : undefined
}

const kept = (node: Node) =>
  Object.fromEntries(
    [...node.attributes].filter(([name]) => ['strides', 'pads', 'dilations', 'auto_pad'].includes(name)),
  )
