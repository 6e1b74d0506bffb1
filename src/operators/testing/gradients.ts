import { expect, test } from 'vitest'
import type { OperatorCase } from '../cases/types.ts'
import { checkGradient, type GradientError, toleranceOf } from './check.ts'

/** One test per case: the rule's gradient of every input agrees with finite differences. */
export const testGradients = (cases: readonly OperatorCase[]): void => {
  test.each(cases.map((c) => [`${c.op}: ${c.name}`, c] as const))('%s', async (_, c) => {
    expectSmall(await checkGradient(c))
  })
}

/** Every error is within its type's tolerance, and there is something to compare. */
export const expectSmall = (errors: readonly GradientError[]): void => {
  expect(errors.length).toBeGreaterThan(0)
  for (const found of errors) {
    const shown = `∂L/∂${found.input} ${found.type}: given ${brief(found.given)}, measured ${brief(found.measured)}`
    expect(found.error, shown).toBeLessThan(toleranceOf(found))
  }
}

const brief = (values: readonly number[]) =>
  values
    .slice(0, 12)
    .map((x) => Number(x.toPrecision(5)))
    .join(' ')
