import { expect, test } from 'vitest'
import { numbersOf } from '../../base/index.ts'
import { copyNode } from '../../onnx/index.ts'
import type { OperatorCase } from '../cases/types.ts'
import { anySign, negative, positive, signRuleOf, signsOf, zero, zeroPointOf } from '../signs/index.ts'
import { caseContext, cut, factsOf, masked, place, run } from './axes.ts'

/**
 * Sets a case's inputs to zero at one unit after another and looks at the outputs there: each number's sign, counted from its
 * zero point, must be among those the rule allows, and a number it must be unless the rule doubts it.
 *
 * @returns how many numbers were looked at
 */
export const checkSigns = async (c: OperatorCase): Promise<number> => {
  const { one, context } = await caseContext(c)
  const { node, values, drawn } = one
  const facts = factsOf(context, 0)
  let looked = 0
  for (const [unit, places] of facts.units) {
    const has = (value: string) => places.filter((one) => one.startsWith(`${value} `))
    const isMasked = (name: string) => (drawn.includes(name) || c.masked?.includes(name)) && has(name).length > 0
    if (!node.inputs.some(isMasked) || !node.outputs.some((name) => has(name).length > 0)) continue
    const indices = (value: string, axis: number, gone: boolean) =>
      [...Array(context.dims(value)[axis]!).keys()].filter((i) => places.includes(place({ value, axis }, i)) === gone)
    const zeroed = new Map(
      [...values].map(([name, tensor]) => [
        name,
        isMasked(name) ? masked(tensor, (axis) => indices(name, axis, false)) : tensor,
      ]),
    )
    const out = await run(copyNode(node), zeroed, drawn, one.model)
    const signs = (name: string) => {
      if (isMasked(name)) return zero
      const tensor = context.constant(name)
      return tensor ? signsOf(tensor) : anySign
    }
    node.outputs.forEach((value, position) => {
      const allowed = signRuleOf(
        node,
        position,
      )({
        ...context,
        signs: (i) => signs(node.inputs[i] ?? ''),
        touched: (i) => has(node.inputs[i] ?? '').length > 0,
        zeroPoint: () => '0',
      })
      const point = zeroPointOf({ ...context, zeroPoint: () => '0' }, position)
      const shown = out[point]
      const origin = shown ? numbersOf(shown)[0]! : Number(point)
      for (const axis of context.dims(value).keys()) {
        const there = indices(value, axis, true)
        if (there.length === 0 || typeof allowed !== 'number' || Number.isNaN(origin)) continue
        for (const whole of numbersOf(cut(out[value]!, (other) => (other === axis ? there : undefined)))) {
          const number = whole - origin
          const what = `${value} at ${unit} is ${number}`
          expect(number, what).not.toBeNaN()
          expect((number > 0 ? positive : number < 0 ? negative : zero) & allowed, what).not.toBe(0)
          looked++
        }
      }
    })
  }
  return looked
}

/** One test per case: what is said of its signs is true. */
export const testSigns = (cases: readonly OperatorCase[]): void => {
  test.each(cases.map((c) => [`${c.op}: ${c.name}, its signs`, c] as const))('%s', async (_, c) => {
    await checkSigns(c)
  })
}
