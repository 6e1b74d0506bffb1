import { float32Of, sizeOf, UnsupportedError } from '../base/index.ts'
import { consumersOf, type Graph, intOf, intsOf, type Node } from '../onnx/index.ts'
import type { Parameter, Role } from './types.ts'

/** A parameter's role and, for grouped transposed convolutions, its groups. */
export type RoleOf = Pick<Parameter, 'role' | 'groups'>

/** What each initializer is to the nodes that read it, by name. Integer and string tensors are left out. */
export const rolesOf = (graph: Graph): Map<string, RoleOf> => {
  const consumers = consumersOf(graph)
  const roles = new Map<string, RoleOf>()
  for (const [name, { type, dims }] of graph.initializers)
    if (/float|double/.test(type)) roles.set(name, dims.length <= 1 ? { role: 'vector' } : roleIn(name, consumers))
  return roles
}

/** Of several uses an embedding's comes first (tied weights), then the first that says anything. */
const roleIn = (value: string, consumers: ReadonlyMap<string, readonly Node[]>): RoleOf => {
  const uses = (consumers.get(value) ?? []).flatMap((node) =>
    node.inputs.flatMap((input, position) => (input === value ? [useOf(node, position, consumers)] : [])),
  )
  return uses.find(({ role }) => role === 'embedding') ?? uses.find(({ role }) => role !== 'other') ?? { role: 'other' }
}

const useOf = (node: Node, position: number, consumers: ReadonlyMap<string, readonly Node[]>): RoleOf => {
  const through = () => roleIn(node.outputs[0] ?? '', consumers)
  switch (node.opType) {
    case 'Conv':
    case 'DeformConv':
      return position === 1 ? { role: 'conv' } : { role: position > 1 ? 'vector' : 'other' }
    case 'ConvTranspose': {
      const groups = intOf(node, 'group', 1)
      return position === 1 ? { role: 'conv-transpose', groups } : { role: position > 1 ? 'vector' : 'other' }
    }
    case 'Gemm': {
      if (position > 1) return { role: 'vector' }
      const transposed = intOf(node, position === 1 ? 'transB' : 'transA', 0) === 1
      // B is [in, out], A is [out, in]; transposing swaps them.
      return { role: transposed === (position === 1) ? 'dense' : 'dense-in-out' }
    }
    case 'MatMul':
      return { role: position === 1 ? 'dense-in-out' : 'dense' }
    case 'Gather':
      return { role: position === 0 && intOf(node, 'axis', 0) === 0 ? 'embedding' : 'other' }
    // W and R are [directions, gates × hidden, in]: rows are units.
    case 'LSTM':
    case 'GRU':
    case 'RNN':
      return { role: position === 1 || position === 2 ? 'dense' : 'vector' }
    case 'Transpose': {
      const inner = through()
      const perm = intsOf(node, 'perm', undefined)
      return perm === undefined || swapsLastTwo(perm) ? { role: transposedRole(inner.role) } : { role: 'other' }
    }
    case 'Identity':
    case 'Cast':
    case 'Dropout':
    case 'DequantizeLinear':
      return through()
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div':
    case 'Pow':
    case 'PRelu':
    case 'Where':
    case 'BatchNormalization':
    case 'LayerNormalization':
    case 'GroupNormalization':
    case 'InstanceNormalization':
    case 'RMSNormalization':
      return { role: 'vector' }
    default:
      return { role: 'other' }
  }
}

const swapsLastTwo = (perm: readonly number[]): boolean =>
  perm.every((axis, i) => axis === (i === perm.length - 1 ? i - 1 : i === perm.length - 2 ? i + 1 : i))

const transposedRole = (role: Role): Role =>
  role === 'dense' ? 'dense-in-out' : role === 'dense-in-out' ? 'dense' : role === 'embedding' ? role : 'other'

/**
 * Trainable parameters from a graph's initializers, each with a copy of its values.
 * @throws UnsupportedError for an initializer that is absent or not float32.
 */
export const parametersOf = (graph: Graph, names: Iterable<string>): Parameter[] => {
  const roles = rolesOf(graph)
  return [...names].map((name) => {
    const tensor = graph.initializers.get(name)
    const role = roles.get(name)
    if (!tensor || !role || tensor.type !== 'float32')
      throw new UnsupportedError(
        tensor ? `a ${tensor.type} tensor cannot be trained` : 'there is no such initializer',
        {
          place: { initializer: name },
        },
      )
    const values = new Float32Array(sizeOf(tensor.dims))
    values.set(float32Of(tensor))
    return { name, dims: tensor.dims, ...role, values }
  })
}
