import { random } from '../../base/index.ts'
import type { Parameter } from '../types.ts'

/** Parameters of every role, for tests. */
const shapes: readonly Omit<Parameter, 'values'>[] = [
  { name: 'conv.weight', dims: [4, 3, 3, 3], role: 'conv' },
  { name: 'up.weight', dims: [4, 3, 2, 2], role: 'conv-transpose', groups: 2 },
  { name: 'fc.weight', dims: [5, 7], role: 'dense' },
  { name: 'head.weight', dims: [7, 5], role: 'dense-in-out' },
  { name: 'embedding', dims: [6, 4], role: 'embedding' },
  { name: 'fc.bias', dims: [5], role: 'vector' },
]

const filled = (length: number, seed: number, size: number): Float32Array => {
  const source = random(seed)
  return Float32Array.from({ length }, () => size * source.normal())
}

/** A small network's parameters, the same for the same seed. */
export const networkOf = (seed: number): Parameter[] =>
  shapes.map((shape, i) => ({
    ...shape,
    values: filled(
      shape.dims.reduce((n, d) => n * d, 1),
      seed * 100 + i,
      0.3,
    ),
  }))

/** Gradients for a step, the same for the same step, of changing size. */
export const gradientsFor = (parameters: readonly Parameter[], step: number): Map<string, Float32Array> =>
  new Map(parameters.map((p, i) => [p.name, filled(p.values.length, 7919 * step + i, 0.1 * (1 + Math.sin(step) ** 2))]))

/** One parameter 'w' of a few values. */
export const vector = (values: readonly number[]): Parameter => ({
  name: 'w',
  dims: [values.length],
  role: 'vector',
  values: Float32Array.from(values),
})
