import { compile } from './compile.ts'
import { type Expression, inOrder, type Rule, type Run } from './expression.ts'
import { interpret } from './interpret.ts'

/**
 * A loop over the elements of arrays of one length, changed in place: its rule says from an element of each array and a few
 * scalars what becomes of it. Four elements at a time in WASM where there is SIMD, else in plain JavaScript with the same
 * results to the last bit. Arithmetic is float32, so a rule takes 1 − β rather than β: β₂ = 0.999 rounded to float32 would
 * make 1 − β₂ wrong by 1.3e-5, and 0.9999 by 2.5e-4. A rule with means is given the length of the runs they are taken over.
 */
export const loop = <A extends string, S extends string = never>(
  arrays: readonly A[],
  scalars: readonly S[],
  rule: (array: Record<A, Expression>, scalar: Record<S, Expression>) => Partial<Record<A, Expression>>,
) => {
  let run: Run | undefined
  return (given: Record<A, Float32Array>, numbers: Record<S, number>, length = 1): void => {
    run ??= runnerOf(ruleOf(arrays, scalars, rule))
    run(
      arrays.map((name) => given[name]),
      scalars.map((name) => numbers[name]),
      length,
    )
  }
}

const runnerOf = (rule: Rule): Run => compile(rule) ?? interpret(rule)

/** A rule written over names, over positions. */
export const ruleOf = <A extends string, S extends string>(
  arrays: readonly A[],
  scalars: readonly S[],
  rule: (array: Record<A, Expression>, scalar: Record<S, Expression>) => Partial<Record<A, Expression>>,
): Rule => {
  const written = rule(inputs(arrays, 'array'), inputs(scalars, 'scalar'))
  const results = arrays.flatMap((name, array) => {
    const value = written[name]
    return value ? [{ array, value }] : []
  })
  return {
    arrays: arrays.length,
    scalars: scalars.length,
    values: inOrder(results.map(({ value }) => value)),
    results,
  }
}

const inputs = <N extends string>(names: readonly N[], op: 'array' | 'scalar') =>
  Object.fromEntries(names.map((name, index) => [name, { op, index }])) as Record<N, Expression>
