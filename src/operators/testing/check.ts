import { type DataType, messageOf, numbersOf, type Random, random, sizeOf, type Tensor } from '../../base/index.ts'
import { GraphBuilder, type Model, makeGraph, makeModel, makeNode, type Node } from '../../onnx/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import type { Session, Values } from '../../runtime/types.ts'
import type { InputSpec, OperatorCase } from '../cases/types.ts'
import { tensorLike } from '../helpers.ts'
import { operatorOf } from '../index.ts'
import type { GradientContext, GradientRule, NodeContext } from '../types.ts'

/** A case made concrete: its node alone in a model, with tensors for its inputs. */
export type OneNode = {
  readonly model: Model
  readonly node: Node
  readonly values: ReadonlyMap<string, Tensor>
  /** Inputs drawn at random, which the case's gradient and pruning tests vary. */
  readonly drawn: readonly string[]
}

/**
 * How far the rule's gradient of one input is from the measured one, ‖g − m‖ / max(‖g‖, ‖m‖, ε/tolerance), and both in
 * full; ε is what rounding alone puts into a measured derivative.
 */
export type GradientError = {
  readonly input: string
  readonly type: DataType
  readonly error: number
  readonly given: readonly number[]
  readonly measured: readonly number[]
}

const isTensor = (spec: InputSpec): spec is Tensor => 'bytes' in spec
const isDims = (spec: InputSpec): spec is readonly number[] => Array.isArray(spec)

const draw = (spec: Exclude<InputSpec, Tensor>, type: DataType, dice: Random): Tensor => {
  if (isDims(spec)) return tensorLike(type, spec, Array.from({ length: sizeOf(spec) }, dice.normal))
  if ('values' in spec) return tensorLike(type, spec.dims, spec.values)
  const size = sizeOf(spec.dims)
  if ('low' in spec)
    return tensorLike(
      type,
      spec.dims,
      Array.from({ length: size }, () => spec.low + (spec.high - spec.low) * dice.uniform()),
    )
  const ladder = Array.from({ length: size }, (_, i) => (i - Math.floor(size / 2) + 0.5) * spec.apart)
  return tensorLike(type, spec.dims, dice.shuffle(ladder))
}

/** The model of a case, all float inputs of one type; the same seed draws the same numbers. */
export const oneNode = (c: OperatorCase, type: DataType, seed = 1): OneNode => {
  const dice = random(seed)
  const graph = makeGraph(c.op)
  const values = new Map<string, Tensor>()
  const drawn: string[] = []
  for (const [name, spec] of Object.entries(c.inputs)) {
    if (spec === undefined) continue
    const tensor = isTensor(spec) ? spec : draw(spec, type, dice)
    values.set(name, tensor)
    if (!isTensor(spec)) drawn.push(name)
    if (isTensor(spec)) graph.initializers.set(name, tensor)
    else graph.inputs.push({ name, type, dims: [...tensor.dims] })
  }
  const node = makeNode(
    c.op,
    Object.entries(c.inputs).map(([name, spec]) => (spec === undefined ? '' : name)),
    Array.from({ length: c.outputs ?? 1 }, (_, i) => `out${i}`),
    c.attributes ?? {},
    { name: 'node', domain: c.domain ?? '' },
  )
  graph.nodes.push(node)
  graph.outputs = node.outputs.map((name) => ({ name, type: 'undefined' as const }))
  const model = makeModel(graph, { opset: c.opset ?? 17, irVersion: 10 })
  if (c.domain) model.opsets.set(c.domain, 1)
  return { model, node, values, drawn }
}

/** Copies, since ONNX Runtime writes a training BatchNormalization's new statistics over the ones it was fed. */
const feedsOf = (one: OneNode, changed: Values = {}): Values =>
  Object.fromEntries(
    one.drawn.map((name) => {
      const tensor = changed[name] ?? one.values.get(name)!
      return [name, { ...tensor, bytes: tensor.bytes.slice() }]
    }),
  )

/** Opens the case in double where the engine has the kernels, else in single precision. */
export const openEither = async (
  c: OperatorCase,
  seed: number,
): Promise<{ one: OneNode; session: Session; out: Values }> => {
  let refusal: unknown
  for (const type of c.type ? [c.type] : (['float64', 'float32'] as const)) {
    const one = oneNode(c, type, seed)
    try {
      const session = await nodeRuntime.open(one.model, { threads: 1 })
      return { one, session, out: await session.run(feedsOf(one)) }
    } catch (error) {
      refusal = error
    }
  }
  throw new Error(`the engine runs ${c.op} (${c.name}) in neither precision: ${messageOf(refusal)}`)
}

/** What a rule may ask, answered from one run. */
export const contextOf = (c: OperatorCase, one: OneNode, out: Values): NodeContext => {
  const find = (name: string) => {
    const tensor = one.values.get(name) ?? out[name]
    if (!tensor) throw new Error(`${c.op} (${c.name}): its rule asks for '${name}', which is not a value of the node`)
    return tensor
  }
  return {
    node: one.node,
    opset: c.opset ?? 17,
    dims: (name) => find(name).dims,
    type: (name) => find(name).type,
    constant: (name) => (one.drawn.includes(name) ? undefined : one.values.get(name)),
  }
}

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((total, x, i) => total + x * b[i]!, 0)
const norm = (a: readonly number[]) => Math.sqrt(dot(a, a))

/**
 * Compares an operator's gradient rule with central differences. The loss is Σ c·output with random c, summed in double.
 * Sixth-order stencil (45 δ(h) − 9 δ(2h) + δ(3h)) / 60h with δ(h) = f(h) − f(−h): its error is h⁶f⁽⁷⁾/140, so that a step
 * large enough for single precision still leaves six digits.
 */
export const checkGradient = async (
  c: OperatorCase,
  options: {
    /** Draws other numbers; the case's own, or 1, unless given. */
    seed?: number
    /** Instead of the rule in the operator's row. */
    rule?: GradientRule
  } = {},
): Promise<readonly GradientError[]> => {
  const seed = options.seed ?? c.seed ?? 1
  const { one, session, out } = await openEither(c, seed)
  const type = one.values.get(one.drawn[0]!)!.type
  const dice = random(seed + 1000)
  const cotangents = new Map<number, Tensor>()
  one.node.outputs.forEach((name, i) => {
    const { dims, type: kind } = out[name]!
    if ((c.loss === undefined || c.loss.includes(i)) && kind === type)
      cotangents.set(i, tensorLike(type, dims, Array.from({ length: sizeOf(dims) }, dice.normal)))
  })

  const checked = c.checked ?? one.drawn
  const rule = options.rule ?? operatorOf(one.node)?.gradient
  if (typeof rule !== 'function') throw new Error(`${c.op} (${c.name}) has no gradient rule`)
  const given = await gradientsOf(c, one, out, cotangents, checked, rule)

  const loss = async (name: string, tensor: Tensor) => {
    const values = await session.run(feedsOf(one, { [name]: tensor }))
    let total = 0
    for (const [i, cotangent] of cotangents)
      total += dot(numbersOf(values[one.node.outputs[i]!]!), numbersOf(cotangent))
    return total
  }
  const step = type === 'float64' ? 7e-4 : 1e-2
  // ε = 2u · Σ|c| max(|output|, 1) / h: a kernel's output is known no better than its rounding.
  const terms = [...cotangents].map(([i, c]) => {
    const values = numbersOf(out[one.node.outputs[i]!]!)
    return numbersOf(c).reduce((total, x, k) => total + Math.abs(x) * Math.max(Math.abs(values[k]!), 1), 0)
  })
  const rounding = (2 * (type === 'float64' ? 2 ** -53 : 2 ** -24) * terms.reduce((a, b) => a + b, 0)) / step
  const errors: GradientError[] = []
  for (const input of checked) {
    const tensor = one.values.get(input)!
    const center = numbersOf(tensor)
    const measured: number[] = []
    for (let i = 0; i < center.length; i++) {
      const moved = (by: number) => loss(input, tensorLike(type, tensor.dims, center.with(i, center[i]! + by)))
      const across = async (by: number) => (await moved(by)) - (await moved(-by))
      measured.push((45 * (await across(step)) - 9 * (await across(2 * step)) + (await across(3 * step))) / (60 * step))
    }
    const found = given.get(input)
    const values = found ? numbersOf(found) : center.map(() => 0)
    const shaped = found === undefined || found.dims.join() === tensor.dims.join()
    const difference = norm(values.map((x, k) => x - measured[k]!))
    const scale = Math.max(norm(values), norm(measured), rounding / toleranceOf({ type }))
    const error = !shaped || values.some(Number.isNaN) ? Number.POSITIVE_INFINITY : scale === 0 ? 0 : difference / scale
    errors.push({ input, type, error, given: values, measured })
  }
  await session.close()
  return errors
}

/** Rules emit nodes of opset 13 and later; a training graph is brought to such an opset first. */
const oldestTraining = 13

/**
 * Runs the node and, appended to it, what its rule emits. A node of an older opset cannot share a model with what its rule
 * emits: then the rule's nodes run alone, fed with the node's values.
 */
const gradientsOf = async (
  c: OperatorCase,
  one: OneNode,
  out: Values,
  cotangents: ReadonlyMap<number, Tensor>,
  checked: readonly string[],
  rule: GradientRule,
): Promise<Map<string, Tensor>> => {
  const old = (c.opset ?? 17) < oldestTraining
  const model = old ? makeModel(makeGraph(c.op)) : one.model
  const { graph } = model
  const ownFeeds = old ? { ...Object.fromEntries(one.values), ...out } : feedsOf(one)
  if (old)
    for (const [name, { type, dims }] of Object.entries(ownFeeds)) graph.inputs.push({ name, type, dims: [...dims] })
  const grads = one.node.outputs.map((name, i) => (cotangents.has(i) ? `grad/${name}` : undefined))
  for (const [i, tensor] of cotangents)
    graph.inputs.push({ name: grads[i]!, type: tensor.type, dims: [...tensor.dims] })
  const context: GradientContext = {
    ...contextOf(c, one, out),
    grads,
    wants: (input) => checked.includes(one.node.inputs[input] ?? ''),
    b: new GraphBuilder(graph, 'gradient'),
  }
  const names = rule(context)
  const wanted = one.node.inputs.flatMap((input, i) => {
    const name = names[i]
    return checked.includes(input) && name !== undefined ? [{ input, name }] : []
  })
  // A gradient may be a value handed through: an Identity gives every one its own output.
  graph.outputs = wanted.map(({ name }) => ({
    name: context.b.op('Identity', [name]),
    type: 'undefined' as const,
  }))
  const session = await nodeRuntime.open(model, { threads: 1 })
  const feeds = Object.fromEntries([...cotangents].map(([i, tensor]) => [grads[i]!, tensor]))
  const values = await session.run({ ...ownFeeds, ...feeds })
  await session.close()
  return new Map(wanted.map(({ input }, i) => [input, values[graph.outputs[i]!.name]!]))
}

/** The largest error a case may show: rounding is all that is left in double, seven digits of it in single precision. */
export const toleranceOf = ({ type }: Pick<GradientError, 'type'>): number => (type === 'float64' ? 1e-6 : 1e-3)
