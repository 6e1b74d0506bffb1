import { EspalierError, type Tensor, type TensorType } from '../base/index.ts'
import { capturesOf, type Model, type Node, nodeLabel, opsetOf, subgraphsOf } from '../onnx/index.ts'
import { type AxisContext, type AxisRef, operatorOf } from '../operators/index.ts'
import { AxisUnits } from './units.ts'

/** What a node's rule said of one of its initializers' axes: whether it goes with an output or with an input. */
export type Use = {
  readonly node: Node
  readonly input: number
  readonly slot: number
  readonly side: 'output' | 'input'
}

export type Values = {
  readonly shapes: ReadonlyMap<string, TensorType>
  constant(name: string): Tensor | undefined
}

/**
 * Runs every node's axis rule over one union–find. The order does not matter: rules only state which indices live and die
 * together. Whatever no rule allows is frozen: graph inputs and outputs, operators without a rule, values a subgraph reads,
 * and axes a node's rule does not speak of.
 */
export const runAxisRules = (
  model: Model,
  values: Values,
  onNode: (done: number) => void = () => {},
): { units: AxisUnits; uses: Use[] } => {
  const { graph } = model
  const dimsOf = (name: string): readonly number[] => {
    const dims = values.shapes.get(name)?.dims
    if (!dims) throw new EspalierError('its shape is not known', { place: { value: name } })
    return dims
  }
  const units = new AxisUnits(dimsOf)
  const freezeAll = (name: string, reason: string) => {
    values.shapes.get(name)?.dims.forEach((_, axis) => {
      units.freeze(units.slot({ value: name, axis }), reason)
    })
  }
  for (const { name } of graph.inputs) if (!graph.initializers.has(name)) freezeAll(name, 'an input of the graph')
  for (const { name } of graph.outputs) freezeAll(name, 'an output of the graph')

  const opset = opsetOf(model)
  const uses: Use[] = []
  graph.nodes.forEach((node, done) => {
    const names = [...new Set([...node.inputs, ...node.outputs])].filter((name) => name !== '')
    const give = (reason: string) => {
      for (const name of names) freezeAll(name, reason)
    }
    const where = `${node.opType} '${nodeLabel(node)}'`
    for (const name of subgraphsOf(node).flatMap(capturesOf)) freezeAll(name, `read inside a subgraph of ${where}`)
    const row = operatorOf(node)
    if (!row)
      give(`no rule for operator ${node.domain ? `${node.domain}.` : ''}${node.opType} (node '${nodeLabel(node)}')`)
    else if (names.some((name) => !values.shapes.has(name))) give(`a value of ${where} has no known shape`)
    else {
      const rule = new RuleRun(node, units, where)
      try {
        row.axes(rule.context(opset, values, dimsOf))
        rule.freezeUnmentioned(names, dimsOf)
        uses.push(...rule.uses((name) => graph.initializers.has(name), dimsOf))
      } catch (error) {
        // A rule that gives up half-way may have left ties unsaid; frozen axes need none.
        if (!(error instanceof EspalierError)) throw error
        give(`${where}: ${error.message}`)
      }
    }
    onNode(done + 1)
  })
  return { units, uses }
}

/** One run of one rule: passes its statements on and notes which of the node's axes it tied to each other. */
class RuleRun {
  readonly #node: Node
  readonly #units: AxisUnits
  readonly #where: string
  /** Every axis spoken of → a neighbour it was tied to, in the manner of a union–find over whole axes. */
  readonly #linked = new Map<number, number>()

  constructor(node: Node, units: AxisUnits, where: string) {
    this.#node = node
    this.#units = units
    this.#where = where
  }

  context(opset: number, values: Values, dims: (name: string) => readonly number[]): AxisContext {
    const units = this.#units
    const mention = (ref: AxisRef) => {
      const slot = units.slot(ref)
      if (!this.#linked.has(slot)) this.#linked.set(slot, slot)
      return slot
    }
    const link = (a: AxisRef, b: AxisRef): [number, number] => {
      const [x, y] = [mention(a), mention(b)]
      const [p, q] = [this.#top(x), this.#top(y)]
      if (p !== q) this.#linked.set(p, q)
      return [x, y]
    }
    return {
      node: this.#node,
      opset,
      dims,
      type: (name) => values.shapes.get(name)?.type ?? 'undefined',
      constant: values.constant,
      join: (a, b) => units.join(...link(a, b)),
      joinAt: (a, b) => {
        const [x, y] = link(a, b)
        units.joinAt(x, a.at, y, b.at)
      },
      freeze: (ref, reason) => units.freeze(mention(ref), `${this.#where}: ${reason}`),
      approximate: (ref, reason) => units.approximate(mention(ref), `${this.#where}: ${reason}`),
    }
  }

  #top(slot: number): number {
    let at = slot
    while (this.#linked.get(at) !== at) at = this.#linked.get(at)!
    return at
  }

  /** An axis the rule forgot would look free; it is frozen instead. */
  freezeUnmentioned(names: readonly string[], dims: (name: string) => readonly number[]): void {
    for (const value of names)
      dims(value).forEach((_, axis) => {
        const slot = this.#units.slot({ value, axis })
        if (!this.#linked.has(slot)) this.#units.freeze(slot, `${this.#where}: its rule says nothing of this axis`)
      })
  }

  /** The node's initializers' axes, each on the side of the outputs or of the inputs. */
  uses(isInitializer: (name: string) => boolean, dims: (name: string) => readonly number[]): Use[] {
    const slotsOf = (value: string) =>
      value === '' ? [] : dims(value).map((_, axis) => this.#units.slot({ value, axis }))
    const made = new Set(this.#node.outputs.flatMap(slotsOf).flatMap((slot) => this.#topIfLinked(slot)))
    return this.#node.inputs.flatMap((name, input) =>
      isInitializer(name)
        ? slotsOf(name).map((slot): Use => {
            const withOutput = this.#topIfLinked(slot).some((top) => made.has(top))
            return { node: this.#node, input, slot, side: withOutput ? 'output' : 'input' }
          })
        : [],
    )
  }

  #topIfLinked(slot: number): number[] {
    return this.#linked.has(slot) ? [this.#top(slot)] : []
  }
}
