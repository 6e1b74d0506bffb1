import { float32, int64, type Tensor } from '../base/index.ts'
import { type AttributeInput, makeNode, subgraphsOf } from './node.ts'
import type { Graph, Node } from './types.ts'

/**
 * Appends nodes and constants to a graph under fresh names. Networks are written with it, and gradients: a rule says
 * `b.op('Mul', [a, c])` and passes the returned value name on.
 */
export class GraphBuilder {
  readonly graph: Graph
  #taken: Set<string>
  #scope: string
  #nodes: Node[] | undefined
  #shared = new Map<string, string>()
  /** The last number given after each hint, so that the thousandth is found as fast as the first. */
  #counts = new Map<string, number>()

  /**
   * @param graph extended in place
   * @param scope put before every fresh name, as in `scope/Conv_1`
   * @param nodes the list appended to; the graph's own unless another is given
   */
  constructor(graph: Graph, scope = '', nodes?: Node[]) {
    this.graph = graph
    this.#scope = scope
    this.#nodes = nodes
    this.#taken = new Set(namesIn(graph))
    for (const node of nodes ?? []) for (const name of namesOf(node)) this.#taken.add(name)
  }

  /** A name nothing in the graph has: `hint`, or `hint_1`, `hint_2`… */
  fresh(hint: string): string {
    const base = this.#scope ? `${this.#scope}/${hint}` : hint
    let name = base
    let count = this.#counts.get(base) ?? 0
    while (this.#taken.has(name)) name = `${base}_${++count}`
    this.#counts.set(base, count)
    this.#taken.add(name)
    return name
  }

  /** Appends a node of one output and returns the output's name. */
  op(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeInput | undefined> = {},
    options: { name?: string; domain?: string } = {},
  ): string {
    return this.ops(opType, inputs, 1, attributes, options)[0]!
  }

  /** Appends a node of several outputs and returns their names. */
  ops(
    opType: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Record<string, AttributeInput | undefined> = {},
    options: { name?: string; domain?: string } = {},
  ): string[] {
    const name = options.name ?? this.fresh(opType)
    const names = Array.from({ length: outputs }, (_, i) =>
      this.fresh(outputs === 1 ? `${opType}_out` : `${opType}_out${i}`),
    )
    const list = this.#nodes ?? this.graph.nodes
    list.push(makeNode(opType, inputs, names, attributes, { ...options, name }))
    return names
  }

  /** Adds an initializer under `name`, which must be free. */
  initializer(name: string, tensor: Tensor): string {
    this.#taken.add(name)
    this.graph.initializers.set(name, tensor)
    return name
  }

  /** A constant, added once per distinct contents of up to 64 bytes. */
  constant(tensor: Tensor, hint = 'const'): string {
    const key =
      tensor.type !== 'string' && tensor.bytes.byteLength <= 64
        ? `${tensor.type}[${tensor.dims}]${tensor.bytes}`
        : undefined
    const found = key === undefined ? undefined : this.#shared.get(key)
    if (found !== undefined) return found
    const name = this.initializer(this.fresh(hint), tensor)
    if (key !== undefined) this.#shared.set(key, name)
    return name
  }

  /** A 1-D int64 constant: a shape, axes, pads. */
  ints(values: readonly number[], hint = 'ints'): string {
    return this.constant(int64([values.length], values), hint)
  }

  /** A scalar float32 constant. */
  scalar(value: number, hint = 'scalar'): string {
    return this.constant(float32([], [value]), hint)
  }
}

/** Every name in a graph, those of its subgraphs included: ONNX wants names unique across them. */
const namesIn = (graph: Graph): string[] => [
  ...[...graph.inputs, ...graph.outputs].map((value) => value.name),
  ...graph.initializers.keys(),
  ...graph.nodes.flatMap(namesOf),
]

const namesOf = (node: Node): string[] => [
  node.name,
  ...node.outputs,
  ...node.inputs,
  ...subgraphsOf(node).flatMap(namesIn),
]
