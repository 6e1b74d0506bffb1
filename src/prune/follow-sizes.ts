import { type DataType, numbersOf, sizeOf, type Tensor, type TensorType } from '../base/index.ts'
import { type Model, opsetOf, type ValueInfo } from '../onnx/index.ts'
import { operatorOf } from '../operators/index.ts'
import { mostElements } from '../operators/sizes/elementwise.ts'
import { allFixed, isFixed, Quantities, type Size, type SizeContext, type Sized } from '../operators/sizes/index.ts'

/** The sizes of a model's values, and the numbers computed from them, in every run. */
export type Sizes = {
  readonly quantities: Quantities
  dims(value: string): readonly Size[] | undefined
  elements(value: string): readonly Size[] | undefined
  type(value: string): DataType
}

export type FollowOptions = {
  /** Contents of values that depend on no input. */
  readonly constant: (name: string) => Tensor | undefined
  /** What the engine infers of values before any run; used where no rule has an answer. */
  readonly inferred?: ReadonlyMap<string, ValueInfo> | undefined
  /** Types and shapes in one run. What contradicts them is not believed. */
  readonly traced?: ReadonlyMap<string, TensorType> | undefined
}

/**
 * Follows the sizes of the inputs through a graph. What is a number afterwards is that number whatever the model is fed: it
 * follows from the file alone. All else is a quantity that varies, and two quantities are equal only where they are computed
 * alike. A free axis is at least 1.
 */
export const followSizes = (model: Model, { constant, inferred, traced }: FollowOptions): Sizes => {
  const { graph } = model
  const quantities = new Quantities()
  const opset = opsetOf(model)
  const known = new Map<string, Sized>()
  const replaceable = new Set(graph.defaults)
  const axes = new Set<string>()

  for (const { name, dims } of graph.inputs) {
    const sizes =
      dims?.map((dim, axis): Size => {
        if (typeof dim === 'number' && dim >= 0) return dim
        // Axes of one name are of one size.
        const free = typeof dim === 'string' ? dim : `${name}:${axis}`
        axes.add(free)
        return quantities.named(free, 1)
      }) ?? traced?.get(name)?.dims.map((_, axis) => quantities.named(`${name}:${axis}`, 1))
    known.set(name, { dims: sizes })
  }
  const given = (name: string): Sized => {
    const found = known.get(name)
    if (found) return found
    const tensor = replaceable.has(name) ? undefined : constant(name)
    const sized: Sized = tensor ? { dims: tensor.dims, elements: numbersIn(tensor) } : {}
    known.set(name, sized)
    return sized
  }

  /** The sizes of an output: the rule's, else the engine's, else unlike any other. */
  const dimsOf = (name: string, ruled: readonly Size[] | undefined): readonly Size[] | undefined => {
    const seen = traced?.get(name)?.dims
    const info = inferred?.get(name)?.dims
    const rank = seen?.length ?? ruled?.length ?? info?.length
    if (rank === undefined) return undefined
    return Array.from({ length: rank }, (_, axis) => {
      const own = ruled?.length === rank ? ruled[axis] : undefined
      const engine = info?.length === rank ? info[axis] : undefined
      const size =
        !isFixed(own) && typeof engine === 'number'
          ? engine
          : (own ?? (typeof engine === 'string' && axes.has(engine) ? quantities.named(engine, 1) : undefined))
      const contradicts = isFixed(size) && seen !== undefined && seen[axis] !== size
      return size === undefined || contradicts ? quantities.named(`${name}[${axis}]`, 0) : size
    })
  }

  for (const node of graph.nodes) {
    const context: SizeContext = {
      ...{ node, opset, quantities },
      dims: (input) => given(node.inputs[input] ?? '').dims,
      elements: (input) => given(node.inputs[input] ?? '').elements,
      type: (input) => typeOf(node.inputs[input] ?? '', { constant, inferred, traced }),
    }
    const ruled = operatorOf(node)?.sizes?.(context) ?? []
    for (const [position, name] of node.outputs.entries()) {
      if (name === '') continue
      const tensor = constant(name)
      const dims = tensor?.dims ?? dimsOf(name, ruled[position]?.dims)
      known.set(name, { dims, elements: tensor ? numbersIn(tensor) : countedElements(ruled[position], dims) })
    }
  }
  return {
    quantities,
    dims: (value) => given(value).dims,
    elements: (value) => given(value).elements,
    type: (value) => typeOf(value, { constant, inferred, traced }),
  }
}

/** As many elements as the shape has, or none. */
const countedElements = (sized: Sized | undefined, dims: readonly Size[] | undefined): readonly Size[] | undefined =>
  sized?.elements && allFixed(dims) && sizeOf(dims) === sized.elements.length ? sized.elements : undefined

const numbersIn = (tensor: Tensor): readonly number[] | undefined =>
  sizeOf(tensor.dims) <= mostElements && readable.has(tensor.type) ? numbersOf(tensor) : undefined

const readable: ReadonlySet<string> = new Set([
  ...['int64', 'int32', 'int16', 'int8', 'uint8', 'uint16', 'uint32', 'bool'],
  ...['float32', 'float64'],
])

const typeOf = (name: string, { constant, inferred, traced }: FollowOptions): DataType =>
  traced?.get(name)?.type ?? inferred?.get(name)?.type ?? constant(name)?.type ?? 'undefined'
