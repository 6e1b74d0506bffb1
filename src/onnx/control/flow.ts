import { bool, int64, numbersOf, type Tensor } from '../../base/index.ts'
import { GraphBuilder } from '../builder.ts'
import { constantOf } from '../graph.ts'
import { graphOf, intOf, intsOf, makeNode, nodeLabel } from '../node.ts'
import type { Graph, Node } from '../types.ts'
import { splitInto, squeezed, unsqueezed } from './axes.ts'
import { aliases, instantiate } from './instantiate.ts'
import type { Known, Rewrite } from './types.ts'

/** Steps a loop may be unrolled to, and nodes that may come of it. */
const most = { steps: 10_000, nodes: 200_000 }

const isTrue = (tensor: Tensor | undefined): boolean => tensor !== undefined && numbersOf(tensor)[0] !== 0

/** If with a known condition: the branch that is taken. */
const branch: Rewrite = (node, known) => {
  const condition = known.constant(node.inputs[0] ?? '')
  if (!condition) return undefined
  const taken = graphOf(node, isTrue(condition) ? 'then_branch' : 'else_branch')
  if (!taken) return undefined
  const { nodes, outputs } = instantiate(taken, [], nodeLabel(node), known)
  return [...nodes, ...aliases(outputs, node.outputs)]
}

/**
 * Whether a loop's body can never end it: its condition is the one it was given, or true, in the body or around it.
 */
const goesOn = (body: Graph, known: Known): boolean => {
  let name = body.outputs[0]?.name ?? ''
  let made = maker(body, name)
  while (made?.opType === 'Identity' || made?.opType === 'Cast') {
    name = made.inputs[0]!
    made = maker(body, name)
  }
  const inside = made?.opType === 'Constant' ? constantOf(made) : body.initializers.get(name)
  const value = inside ?? (made ? undefined : known.constant(name))
  return name === body.inputs[1]?.name || isTrue(value)
}

const maker = (graph: Graph, name: string) => graph.nodes.find((node) => node.outputs.includes(name))

const tooLong = (body: Graph, steps: number) => steps > most.steps || steps * body.nodes.length > most.nodes

/** Values along a new axis, one of every step. */
const stacked = (known: Known, values: readonly string[], axis: number, output: string): Node[] => {
  const nodes: Node[] = []
  const b = new GraphBuilder(known.graph, known.fresh('stack'), nodes)
  const apart = values.map((value) => unsqueezed(b, known, value, axis))
  return [...nodes, makeNode('Concat', apart, [output], { axis })]
}

/** Loop with a known number of steps: its body, once for each. */
const loop: Rewrite = (node, known) => {
  const body = graphOf(node, 'body')
  const [trips, condition] = [known.constant(node.inputs[0] ?? ''), node.inputs[1] ?? '']
  if (!body || !trips || !goesOn(body, known)) return undefined
  if (condition !== '' && !isTrue(known.constant(condition))) return undefined
  const steps = numbersOf(trips)[0]!
  const carriedCount = node.inputs.length - 2
  const stacks = node.outputs.slice(carriedCount).some((name) => name !== '')
  // Nothing says how large what no step made would be.
  if (steps < (stacks ? 1 : 0) || tooLong(body, steps)) return undefined
  let carried = node.inputs.slice(2)
  // A body may declare the step's number and the condition as lists of one.
  const [stepDims = [], onDims = []] = body.inputs.map(({ dims }) => (dims?.length === 1 ? [1] : []))
  const on = known.add(bool(onDims, [true]))
  const nodes: Node[] = []
  const scanned: string[][] = []
  for (let step = 0; step < steps; step++) {
    const inputs = [known.add(int64(stepDims, [step])), on, ...carried]
    const instance = instantiate(body, inputs, `${nodeLabel(node)}/${step}`, known)
    nodes.push(...instance.nodes)
    carried = instance.outputs.slice(1, 1 + carriedCount)
    scanned.push(instance.outputs.slice(1 + carriedCount))
  }
  nodes.push(...aliases(carried, node.outputs.slice(0, carriedCount)))
  for (const [i, output] of node.outputs.slice(carriedCount).entries())
    if (output)
      nodes.push(
        ...stacked(
          known,
          scanned.map((values) => values[i]!),
          0,
          output,
        ),
      )
  return nodes
}

/** Scan: its body once for each slice of the scanned inputs, whose number their shape says. */
const scan: Rewrite = (node, known) => {
  const body = graphOf(node, 'body')
  const count = intOf(node, 'num_scan_inputs', 0)
  if (!body || count < 1 || known.opset < 9) return undefined
  const states = node.inputs.length - count
  const scanned = node.inputs.slice(states)
  const outputs = node.outputs.slice(states)
  const attribute = (name: string, size: number) => intsOf(node, name, Array(size).fill(0))
  const axes = attribute('scan_input_axes', count)
  const directions = attribute('scan_input_directions', count)
  const types = scanned.map((name) => known.types.get(name))
  const ranks = types.map((type) => type?.dims.length ?? 0)
  const inputAxes = axes.map((axis, i) => (axis < 0 ? axis + ranks[i]! : axis))
  const steps = types[0]?.dims[inputAxes[0]!]
  if (steps === undefined || steps < 1 || tooLong(body, steps)) return undefined

  const nodes: Node[] = []
  const b = new GraphBuilder(known.graph, known.fresh('scan'), nodes)
  const ones: number[] = Array(steps).fill(1)
  const slices = scanned.map((name, i) => {
    const axis = inputAxes[i]!
    const pieces = steps === 1 ? [name] : splitInto(b, known, name, ones, axis)
    const each = pieces.map((piece) => squeezed(b, known, piece, axis))
    return directions[i] === 1 ? each.reverse() : each
  })
  let carried = node.inputs.slice(0, states)
  const made: string[][] = []
  for (let step = 0; step < steps; step++) {
    const inputs = [...carried, ...slices.map((s) => s[step]!)]
    const instance = instantiate(body, inputs, `${nodeLabel(node)}/${step}`, known)
    nodes.push(...instance.nodes)
    carried = instance.outputs.slice(0, states)
    made.push(instance.outputs.slice(states))
  }
  nodes.push(...aliases(carried, node.outputs.slice(0, states)))
  const outputAxes = attribute('scan_output_axes', outputs.length)
  const outputDirections = attribute('scan_output_directions', outputs.length)
  for (const [i, output] of outputs.entries()) {
    if (!output) continue
    const rank = known.types.get(output)?.dims.length ?? 1
    const axis = outputAxes[i]! < 0 ? outputAxes[i]! + rank : outputAxes[i]!
    const values = made.map((step) => step[i]!)
    nodes.push(...stacked(known, outputDirections[i] === 1 ? values.reverse() : values, axis, output))
  }
  return nodes
}

/** Control flow that can be followed before the graph runs. */
export const control: { readonly [opType: string]: Rewrite } = { If: branch, Loop: loop, Scan: scan }
