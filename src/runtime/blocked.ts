import { float32, float32Of, int64, sizeOf, type TensorType } from '../base/index.ts'
import { GraphBuilder, intOf, intsOf, type Model, makeGraph, makeModel, makeNode, type Node } from '../onnx/index.ts'
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
  const nodes: Node[] = []
  const b = new GraphBuilder(graph, 'blocked', nodes)
  const transposed = new Map<string, string>()
  const reordered = new Map<string, string>()

  /** Pads channels (axis 1) and batch (axis 0) with zeros. */
  const padded = (value: string, batch: number, channels: number): string =>
    batch + channels === 0 ? value : b.op('Pad', [value, b.ints([0, 0, 0, 0, batch, channels, 0, 0])])

  /** [N, C, H, W] → [N, C/block, H, W, block], C padded with zeros to whole blocks; once for each value. */
  const blocked = (value: string, channels: number, batch = 0): string => {
    const key = `${value} ${batch}`
    const found = reordered.get(key)
    if (found !== undefined) return found
    // ReorderInput wants a multiple of 4 channels and pads the rest itself.
    const name = b.op('ReorderInput', [padded(value, batch, roundUp(channels, 4) - channels)], {}, { domain })
    reordered.set(key, name)
    return name
  }

  /** [O, C, kh, kw] → [O/block, C/block, kh, kw, block of C, block of O], or [O/block, C, kh, kw, block of O]. */
  const kernel = (value: string, dims: readonly number[]): string => {
    const [outputs = 0, channels = 0, height = 0, width = 0] = dims
    const swapped = transposed.get(value) ?? b.op('Transpose', [value], { perm: [1, 0, 2, 3] })
    const [o, c] = [roundUp(outputs, block), channels < block ? channels : roundUp(channels, block)]
    const byOutput = blocked(swapped, outputs, c - channels)
    const inBlocks = channels < block ? 1 : block
    const apart = b.op('Reshape', [byOutput, b.ints([c / inBlocks, inBlocks, o / block, height * width, block])])
    return b.op('Reshape', [b.op('Transpose', [apart], { perm: [2, 0, 3, 1, 4] }), b.ints([o, c, height, width])])
  }

  for (const node of graph.nodes) {
    const [x = '', w = '', bias = ''] = node.inputs
    const [input, filter] = [types.get(x), types.get(w)]
    if (node.opType === 'Transpose' && isSwap(node)) transposed.set(node.outputs[0]!, x)
    if (!input || !filter || !gains(node, graph.initializers.has(w), input, filter, block)) {
      nodes.push(node)
      continue
    }
    const [outputs = 0, channels = 0] = filter.dims
    const missing = roundUp(outputs, block) - outputs
    const inputs = [channels < block ? x : blocked(x, channels), kernel(w, filter.dims)]
    if (bias) inputs.push(missing === 0 ? bias : b.op('Pad', [bias, b.constant(int64([2], [0, missing]))]))
    const found = b.op(
      'Conv',
      inputs,
      { ...attributesOf(node), group: 1, kernel_shape: filter.dims.slice(2) },
      { domain },
    )
    nodes.push(makeNode('ReorderOutput', [found], node.outputs, { channels: outputs }, { domain }))
  }
  graph.nodes = nodes
  model.opsets.set(domain, 1)
}

/** A two-dimensional float32 convolution of one group that reads its kernel from elsewhere and has work to do. */
const gains = (node: Node, fixed: boolean, input: TensorType, filter: TensorType, block: number): boolean =>
  node.opType === 'Conv' &&
  node.domain === '' &&
  !fixed &&
  input.type === 'float32' &&
  filter.dims.length === 4 &&
  intOf(node, 'group', 1) === 1 &&
  filter.dims[0]! * 2 > block &&
  sizeOf(input.dims.slice(2)) > 1

const isSwap = (node: Node) => intsOf(node, 'perm', []).join() === '1,0,2,3'

const attributesOf = (node: Node) =>
  Object.fromEntries(
    [...node.attributes].filter(([name]) => ['strides', 'pads', 'dilations', 'auto_pad'].includes(name)),
  )

const roundUp = (n: number, multiple: number) => Math.ceil(n / multiple) * multiple
