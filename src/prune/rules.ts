import { EspalierError } from '../base/index.ts'
import { attribute, capturesOf, intOf, type Model, type Node, nodeLabel, opsetOf, subgraphsOf } from '../onnx/index.ts'
import { type Operator, operatorOf } from '../operators/index.ts'
import { type Choice, type Heads, settleChoices } from './choices.ts'
import { freezeUnproven } from './exactness.ts'
import { type Elements, neededElements } from './needed-elements.ts'
import { type KnownValues, RuleRun, type Use } from './rule-run.ts'
import { AxisUnits } from './units.ts'

export type RuleOptions = {
  heads?: Heads | undefined
  /** Split initializers: the copy's name → the shared original's. */
  copies?: ReadonlyMap<string, string>
  /** Initializers that hold sizes: no index of them goes. */
  folded?: ReadonlySet<string>
  onNode?: (done: number) => void
}

/**
 * Runs every node's axis rule over one union–find. The order does not matter: rules only state which indices live and die
 * together. Whatever no rule allows is frozen: graph inputs and outputs, operators without a rule, values a subgraph reads,
 * axes a node's rule does not speak of, and units that cannot be proven to be worth nothing when masked.
 */
export const runAxisRules = (
  model: Model,
  values: KnownValues,
  { heads = 'dimensions', copies = new Map(), folded = new Set(), onNode = () => {} }: RuleOptions = {},
): { units: AxisUnits; uses: Use[]; parts: number[] } => {
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
  for (const name of folded) freezeAll(name, 'holds sizes')

  const opset = opsetOf(model)
  const needed = neededElements(model, values.sizes)
  const runs: { node: Node; names: string[]; rule: RuleRun }[] = []
  const choices: Choice[] = []
  for (const [done, node] of graph.nodes.entries()) {
    onNode(done + 1)
    const names = [...new Set([...node.inputs, ...node.outputs])].filter((name) => name !== '')
    const where = `${node.opType} '${nodeLabel(node)}'`
    const give = (reason: string) => {
      for (const name of names) freezeAll(name, reason)
    }
    // A rule that gives up half-way may have left ties unsaid; frozen axes need none.
    const attempt = (work: () => void) => {
      try {
        work()
      } catch (error) {
        if (!(error instanceof EspalierError)) throw error
        give(`${where}: ${error.message}`)
      }
    }
    for (const name of subgraphsOf(node).flatMap(capturesOf)) freezeAll(name, `read inside a subgraph of ${where}`)
    const row: Operator | undefined = operatorOf(node)
    if (!row) {
      give(`no rule for operator ${operatorName(node)} (node '${nodeLabel(node)}')`)
      continue
    }
    if (names.some((name) => !values.shapes.has(name))) {
      give(`a value of ${where} has no known shape`)
      continue
    }
    attempt(() => {
      const rule = new RuleRun(node, units, where)
      const context = rule.context(opset, values, dimsOf)
      for (const part of shapeParts(context.node, needed, dimsOf(node.inputs[0] ?? '').length))
        row.axes({ ...context, node: part })
      if (rule.choices.length === 0) rule.freezeUnmentioned(names, dimsOf)
      for (const readings of rule.choices) choices.push({ readings, rule, attempt })
      runs.push({ node, names, rule })
    })
  }
  settleChoices(units, choices, heads)
  const uses = usesOf(model, runs, dimsOf)
  freezeUnproven(model, units, runs, { ...values, copies })
  return { units, uses, parts: runs.flatMap(({ rule }) => rule.parts(dimsOf)) }
}

/**
 * A Shape node hands out all sizes of its input, but most are asked for one: `x.shape[0]` is Shape → Gather 0. Only sizes that
 * somebody needs tie the axis down, so the node is given as one Shape of each of those (the attributes `start` and `end`), or
 * as one of none; any other node as itself.
 */
const shapeParts = (node: Node, needed: (value: string) => Elements, rank: number): readonly Node[] => {
  if ((node.opType !== 'Shape' && node.opType !== 'Size') || node.domain !== '') return [node]
  const elements = needed(node.outputs[0] ?? '')
  if (elements === 'all' || (node.opType === 'Size' && elements.size > 0)) return [node]
  const start = intOf(node, 'start', 0)
  const first = Math.max(start < 0 ? start + rank : start, 0)
  const part = (from: number, to: number): Node => ({
    ...node,
    opType: 'Shape',
    attributes: new Map([
      ['start', attribute(from)],
      ['end', attribute(to)],
    ]),
  })
  return elements.size === 0 ? [part(0, 0)] : [...elements].map((i) => part(first + i, first + i + 1))
}

const operatorName = ({ domain, opType }: Node) => (domain ? `${domain}.${opType}` : opType)

/** What the rules said of initializers' axes, found behind the nodes that only reshape constants. */
const usesOf = (
  { graph }: Model,
  runs: readonly { node: Node; names: string[]; rule: RuleRun }[],
  dimsOf: (name: string) => readonly number[],
): Use[] => {
  const constants = new Set(graph.initializers.keys())
  const origins = new Map<number, readonly number[]>()
  return runs.flatMap(({ node, names, rule }) => {
    rule.freezeUnmentioned(names, dimsOf)
    const found = rule.uses((name) => constants.has(name), origins, dimsOf)
    const isConstant = node.inputs.length > 0 && node.inputs.every((name) => name === '' || constants.has(name))
    if (!isConstant) return found
    for (const name of node.outputs) constants.add(name)
    rule.passOrigins(origins, dimsOf)
    return found.map((use): Use => ({ ...use, side: 'constant' }))
  })
}
