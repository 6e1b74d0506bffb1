/**
 * The value of one element of a loop, in float32: every operation rounds. A rule uses a value twice by using the same
 * object twice; it is computed once.
 */
export type Expression =
  | { readonly op: 'array'; readonly index: number }
  | { readonly op: 'scalar'; readonly index: number }
  | { readonly op: 'mean'; readonly index: number }
  | { readonly op: 'sqrt'; readonly a: Expression }
  | { readonly op: Binary; readonly a: Expression; readonly b: Expression }

export type Binary = 'add' | 'sub' | 'mul' | 'div' | 'max'

const binary =
  (op: Binary) =>
  (a: Expression, b: Expression): Expression => ({ op, a, b })

export const add = binary('add')
export const sub = binary('sub')
export const mul = binary('mul')
export const div = binary('div')
export const max = binary('max')
export const sqrt = (a: Expression): Expression => ({ op: 'sqrt', a })

/** The mean of an array's elements over the run that is worked on, summed in double. */
export const mean = (array: Expression): Expression => {
  if (array.op !== 'array') throw new TypeError('means are those of arrays')
  return { op: 'mean', index: array.index }
}

/** A loop over arrays of one length: what becomes of each element of some of them. */
export type Rule = {
  readonly arrays: number
  readonly scalars: number
  /** All values of an element, each after those it is made of. */
  readonly values: readonly Expression[]
  /** Written once all values are known. */
  readonly results: readonly { readonly array: number; readonly value: Expression }[]
}

/** Applies a rule to its arrays, in runs of so many elements. */
export type Run = (arrays: readonly Float32Array[], scalars: readonly number[], length: number) => void

/** Every value that goes into some results, each once and after its parts. */
export const inOrder = (results: Iterable<Expression>): Expression[] => {
  const order = new Set<Expression>()
  const visit = (value: Expression): void => {
    if (order.has(value)) return
    if ('a' in value) visit(value.a)
    if ('b' in value) visit(value.b)
    order.add(value)
  }
  for (const result of results) visit(result)
  return [...order]
}
