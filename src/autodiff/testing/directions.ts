import { type DataType, numbersOf, random, sizeOf, type Tensor } from '../../base/index.ts'
import {
  type Attribute,
  copyModel,
  type Graph,
  GraphBuilder,
  type Model,
  opsetOf,
  upgradeOpset,
} from '../../onnx/index.ts'
import { tensorLike } from '../../operators/helpers.ts'
import { constants, type Session, trace, type Values } from '../../runtime/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { backward } from '../backward.ts'
import { lower } from '../lower/index.ts'

/** How well a model's gradient agrees with central differences along some directions of each of its values. */
export type Agreement = {
  /** The worst |measured − given| / max(‖gradient‖, |measured|) over all directions. */
  readonly error: number
  readonly value: string
  readonly type: DataType
  /** Outputs the loss is made of. */
  readonly outputs: number
  /** Values the loss varies with. */
  readonly values: number
}

export type DirectionsOptions = {
  /** Values to differentiate by: graph inputs, or initializers. */
  readonly variables: readonly string[]
  readonly type: 'float32' | 'float64'
  readonly seed?: number
}

const steps = { float64: [1e-3, 1e-4, 1e-5], float32: [2e-2, 4e-3, 1e-3] }
const epsilon = { float64: 2 ** -53, float32: 2 ** -24 }
/** An error this small needs no other step. */
const good = 1e-6

/**
 * Differentiates L = Σ c·output, c random, by each variable and measures L along a random direction and along the gradient.
 * The measuring runs the model as it is, the gradient comes from its lowered form. Where a step crosses a kink a shorter one
 * may not: each direction counts with its best step.
 */
export const checkDirections = async (
  original: Model,
  feeds: Values,
  options: DirectionsOptions,
): Promise<Agreement> => {
  const model = inType(original, options.type)
  const { graph } = model
  const given = Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => [name, tensorIn(tensor, options.type)]),
  )
  for (const name of options.variables) {
    const tensor = graph.initializers.get(name)
    if (!tensor) continue
    given[name] = tensor
    graph.initializers.delete(name)
    if (!graph.inputs.some((input) => input.name === name))
      graph.inputs.push({ name, type: tensor.type, dims: [...tensor.dims] })
  }
  graph.inputs = graph.inputs.flatMap((input) => {
    const tensor = given[input.name]
    return tensor ? [{ name: input.name, type: tensor.type, dims: [...tensor.dims] }] : []
  })
  const dice = random(options.seed ?? 1)
  const plain = await nodeRuntime.open(model, { threads: 1, optimization: 'disabled' })
  try {
    const outputs = await plain.run(fresh(given))
    const cotangents = new Map(
      Object.entries(outputs).flatMap(([name, { type, dims }]) =>
        type === options.type
          ? [[name, tensorLike(type, dims, Array.from({ length: sizeOf(dims) }, dice.normal))] as const]
          : [],
      ),
    )
    const gradients = await gradientsOf(model, given, cotangents, options.variables)
    const loss = (changed: Values) => lossOf(plain, { ...given, ...changed }, cotangents)
    const along = async (name: string, way: readonly number[], step: number) => {
      const at = given[name]!
      const point = numbersOf(at)
      const moved = (by: number) =>
        loss({
          [name]: tensorLike(
            at.type,
            at.dims,
            point.map((x, i) => x + by * way[i]!),
          ),
        })
      const [a, b, c, d] = [await moved(step), await moved(-step), await moved(2 * step), await moved(-2 * step)]
      const rounding = (16 * a.size * epsilon[options.type]) / step
      return { slope: (8 * (a.total - b.total) - (c.total - d.total)) / (12 * step), rounding }
    }
    let worst = { error: 0, value: '' }
    for (const name of options.variables) {
      const at = given[name]!
      const found = gradients.get(name)
      const gradient = found ? numbersOf(found) : Array<number>(sizeOf(at.dims)).fill(0)
      const length = norm(gradient)
      const shaped = found === undefined || found.dims.join() === at.dims.join()
      const ways = [gradient.map(dice.normal), ...(length > 0 ? [gradient.map((x) => x / length)] : [])]
      for (const way of shaped ? ways : []) {
        let best = Number.POSITIVE_INFINITY
        for (const step of steps[options.type]) {
          const { slope, rounding } = await along(name, way, step)
          const apart = Math.max(Math.abs(slope - dot(gradient, way)) - rounding, 0)
          const error = apart === 0 ? 0 : apart / Math.max(length, Math.abs(slope))
          if (error < best) best = error
          if (best < good) break
        }
        if (best > worst.error) worst = { error: best, value: name }
      }
      if (!shaped) worst = { error: Number.POSITIVE_INFINITY, value: name }
    }
    return { ...worst, type: options.type, values: gradients.size, outputs: cotangents.size }
  } finally {
    await plain.close()
  }
}

const gradientsOf = async (
  original: Model,
  feeds: Values,
  cotangents: ReadonlyMap<string, Tensor>,
  variables: readonly string[],
): Promise<Map<string, Tensor>> => {
  const model = upgradeOpset(copyModel(original), 17)
  const { graph } = model
  graph.outputs = graph.outputs.filter(({ name }) => cotangents.has(name))
  await lower(model, { runtime: nodeRuntime, feeds, variables: new Set(variables) })
  const types = await trace(nodeRuntime, model, feeds)
  const computed = await constants(nodeRuntime, model, { shapes: types, variables: new Set(variables) })
  const builder = new GraphBuilder(graph, 'gradient')
  const gradients = backward({
    nodes: [...graph.nodes],
    builder,
    opset: opsetOf(model),
    types,
    constants: new Map([...graph.initializers, ...computed]),
    seeds: new Map([...cotangents].map(([name, tensor]) => [name, builder.constant(tensor)])),
    wanted: new Set(variables),
  })
  if (gradients.size === 0) return new Map()
  // A gradient may be a value handed through: an Identity gives every one its own output.
  const names = new Map([...gradients].map(([name, gradient]) => [name, builder.op('Identity', [gradient])]))
  graph.outputs = [...names.values()].map((name) => ({ name, type: 'undefined' as const }))
  graph.valueInfo.clear()
  const session = await nodeRuntime.open(model, { threads: 1 })
  const values = await session.run(fresh(feeds))
  await session.close()
  return new Map([...names].map(([name, gradient]) => [name, values[gradient]!]))
}

const lossOf = async (
  session: Session,
  feeds: Values,
  cotangents: ReadonlyMap<string, Tensor>,
): Promise<{ total: number; size: number }> => {
  const values = await session.run(fresh(feeds))
  let total = 0
  let size = 0
  for (const [name, cotangent] of cotangents) {
    const [y, c] = [numbersOf(values[name]!), numbersOf(cotangent)]
    y.forEach((value, i) => {
      total += value * c[i]!
      size += Math.abs(value * c[i]!)
    })
  }
  return { total, size }
}

/** Copies, since ONNX Runtime writes a training BatchNormalization's new statistics over the ones it was fed. */
const fresh = (feeds: Values): Values =>
  Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, { ...t, bytes: t.bytes.slice() }]))

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((total, x, i) => total + x * b[i]!, 0)
const norm = (a: readonly number[]) => Math.sqrt(dot(a, a))

/** A float32 tensor in another precision, any other as it is. */
const tensorIn = (tensor: Tensor, type: DataType): Tensor =>
  tensor.type === 'float32' && type !== 'float32' ? tensorLike(type, tensor.dims, numbersOf(tensor)) : tensor

/** A copy of a model with float64 wherever it has float32. */
const inType = (original: Model, type: 'float32' | 'float64'): Model => {
  const model = copyModel(original)
  if (type === 'float64') widen(model.graph)
  return model
}

const widen = (graph: Graph): void => {
  const other = <T extends { type: DataType }>(value: T): T =>
    value.type === 'float32' ? { ...value, type: 'float64' } : value
  graph.inputs = graph.inputs.map(other)
  graph.outputs = graph.outputs.map(other)
  graph.valueInfo = new Map()
  graph.initializers = new Map(Array.from(graph.initializers, ([name, t]) => [name, tensorIn(t, 'float64')]))
  for (const node of graph.nodes)
    for (const [name, attribute] of node.attributes) node.attributes.set(name, widened(name, attribute))
}

const widened = (name: string, attribute: Attribute): Attribute => {
  if (attribute.type === 'TENSOR') return { type: 'TENSOR', value: tensorIn(attribute.value, 'float64') }
  if ((name === 'to' || name === 'dtype') && attribute.type === 'INT' && attribute.value === 1n)
    return { type: 'INT', value: 11n }
  if (attribute.type === 'GRAPH') widen(attribute.value)
  return attribute
}
