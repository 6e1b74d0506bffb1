import { EspalierError, numbersOf, own, sizeOf, type Tensor } from '../base/index.ts'
import { matchesPattern } from './groups.ts'
import type { Optimizer } from './optimizer.ts'
import { type OptimizerState, stateOf } from './state.ts'
import type { Parameter } from './types.ts'

/** PyTorch's names of what an optimizer remembers of a parameter, and the slots of ours that hold the same. */
export const torchSlots: Readonly<Record<string, string>> = {
  momentum_buffer: 'momentum',
  exp_avg: 'momentum',
  exp_avg_sq: 'variance',
  max_exp_avg_sq: 'largest',
  mu_product: 'product',
  exp_inf: 'infinity',
  sum: 'sum',
  square_avg: 'variance',
  acc_delta: 'moved',
  grad_avg: 'mean',
  slow_buffer: 'slow',
}

export type TorchStateOptions = {
  /** PyTorch's name of a parameter whose initializer is called otherwise. */
  readonly names?: Readonly<Record<string, string>>
  /** Patterns of parameters the exporter stored transposed; those whose shape fits no other way are found without. */
  readonly transposed?: readonly string[]
}

/**
 * The state of an optimizer of ours as a PyTorch optimizer's leaves off, to be given to `restoreState`: tensors
 * `PARAMETER:SLOT` such as `fc.weight:exp_avg`, and `PARAMETER:step`. What PyTorch's optimizer does not have (Lookahead's slow
 * weights over its Adam) stays as ours has it.
 * @throws EspalierError naming a parameter without state, a tensor of another shape, or one that has no place.
 */
export const torchState = (
  optimizer: Optimizer,
  tensors: ReadonlyMap<string, Tensor>,
  options: TorchStateOptions = {},
): OptimizerState => {
  const start = stateOf(optimizer)
  const state = new Map(start.tensors)
  const steps = new Map<string, number>()
  const left = new Set(tensors.keys())
  for (const parameter of optimizer.parameters) {
    const theirs = own(options.names ?? {}, parameter.name) ?? parameter.name
    const found = [...tensors].flatMap(([key, tensor]) =>
      nameOf(key) === theirs ? [{ key, slot: key.slice(theirs.length + 1), tensor }] : [],
    )
    if (found.length === 0)
      throw new EspalierError(`the PyTorch state holds nothing of '${theirs}'`, {
        place: { initializer: parameter.name },
        remedy: `say by \`names\` which it is of ${[...new Set([...tensors.keys()].map(nameOf))].join(', ')}`,
      })
    // SGD counts no steps, but its first update is past where there is momentum.
    steps.set(parameter.name, 1)
    for (const { key, slot, tensor } of found) {
      left.delete(key)
      if (slot === 'step') {
        steps.set(parameter.name, numbersOf(tensor)[0] ?? 1)
        continue
      }
      const place = placeOf(optimizer, state, parameter, slot)
      if (place === undefined)
        throw new EspalierError(`the optimizer has no place for PyTorch's '${slot}'`, {
          place: { initializer: parameter.name },
          remedy: 'import into the optimizer it was saved from',
        })
      state.set(place, fitted(tensor, state.get(place)!, parameter, options))
    }
  }
  if (left.size > 0)
    throw new EspalierError(`the PyTorch state of ${[...left].slice(0, 4).join(', ')} belongs to no parameter here`, {
      remedy: 'leave out what is not trained, or say by `names` what it is called',
    })
  return {
    tensors: state,
    scalars: { ...start.scalars, steps: Object.fromEntries(steps), count: Math.max(...steps.values()) },
  }
}

/** `PARAMETER:SLOT`, where only the parameter's name may hold colons. */
const nameOf = (key: string): string => key.slice(0, Math.max(0, key.lastIndexOf(':')))

/** The key of the first link that keeps such a slot of the parameter. */
const placeOf = (optimizer: Optimizer, state: ReadonlyMap<string, Tensor>, { name }: Parameter, slot: string) =>
  optimizer.links.map(({ key }) => `${key}:${torchSlots[slot]}:${name}`).find((key) => state.has(key))

/** A tensor in the type and shape ours has, transposed where the exporter transposed the parameter. */
const fitted = (tensor: Tensor, like: Tensor, parameter: Parameter, { transposed = [] }: TorchStateOptions): Tensor => {
  const values = Float64Array.from(numbersOf(tensor))
  const [rows = 1, columns = 1] = tensor.dims
  const same = tensor.dims.join() === like.dims.join()
  const turned = tensor.dims.length === 2 && [columns, rows].join() === like.dims.join()
  const asked = transposed.some((pattern) => matchesPattern(pattern, parameter.name))
  // A number stands in PyTorch for a tensor of one.
  if (!(asked ? turned || tensor.dims.length < 2 : same || turned) && values.length * sizeOf(like.dims) !== 1)
    throw new EspalierError(`the PyTorch state has shape [${tensor.dims.join(', ')}], not [${like.dims.join(', ')}]`, {
      place: { initializer: parameter.name },
      remedy: 'is it the state of this network?',
    })
  const ordered =
    turned && (asked || !same) ? values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!) : values
  const array = like.type === 'float64' ? ordered : Float32Array.from(ordered)
  return { type: like.type, dims: like.dims, bytes: new Uint8Array(array.buffer) }
}
