import type { TensorType } from '../base/index.ts'
import { GraphBuilder, makeGraph, subgraph } from '../onnx/index.ts'
import type { GradientContext } from './types.ts'

/** The same context, emitting into another graph. */
export const inBody = (g: GradientContext, b: GraphBuilder): GradientContext => ({
  node: g.node,
  opset: g.opset,
  grads: g.grads,
  dims: (name) => g.dims(name),
  type: (name) => g.type(name),
  constant: (name) => g.constant(name),
  wants: (input) => g.wants(input),
  b,
})

/**
 * A loop over the first axis of `sequences`: `step` takes the states and one slice of each, and gives the next states
 * and the slices of the outputs, all of them [rows, columns…] of one element type. One Scan node whatever the length.
 */
export const scan = (
  g: GradientContext,
  options: {
    readonly type: TensorType['type']
    readonly states: readonly string[]
    readonly sequences: readonly string[]
    /** Runs from the last slice to the first; outputs keep their sequences' order. */
    readonly backwards: boolean
  },
  step: (
    body: GradientContext,
    states: readonly string[],
    slices: readonly string[],
  ) => { readonly states: readonly string[]; readonly outputs: readonly string[] },
): { readonly states: readonly string[]; readonly outputs: readonly string[] } => {
  const { type, states, sequences, backwards } = options
  const graph = makeGraph(g.b.fresh('step'))
  const b = new GraphBuilder(graph, graph.name)
  const input = (kind: string) => {
    const name = b.fresh(kind)
    graph.inputs.push({ name, type })
    return name
  }
  const result = step(
    inBody(g, b),
    states.map(() => input('state')),
    sequences.map(() => input('slice')),
  )
  // A graph may not hand an input straight to an output.
  graph.outputs = [...result.states, ...result.outputs].map((name) => ({ name: b.op('Identity', [name]), type }))
  const direction = backwards ? 1 : 0
  const found = g.b.ops('Scan', [...states, ...sequences], graph.outputs.length, {
    body: subgraph(graph),
    num_scan_inputs: sequences.length,
    scan_input_directions: sequences.map(() => direction),
    scan_output_directions: result.outputs.map(() => direction),
  })
  return { states: found.slice(0, states.length), outputs: found.slice(states.length) }
}
