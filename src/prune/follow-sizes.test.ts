import { describe, expect, test } from 'vitest'
import { numbersOf } from '../base/index.ts'
import { isFixed, type Size } from '../operators/sizes/index.ts'
import { constants, traceInferred } from '../runtime/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { sampleInputs } from './feeds.ts'
import { followSizes } from './follow-sizes.ts'
import { inlineControl } from './inline-control.ts'
import { prepareModel } from './prepare.ts'
import { modelOf, sizeCases } from './testing/sizes/index.ts'

// What is followed from the file alone must hold in every run: fixed sizes are those numbers, equal sizes are equal.
describe.each(sizeCases)('$name', (pattern) => {
  test('sizes and the numbers computed from them', async () => {
    const { model } = prepareModel(await inlineControl(modelOf(pattern, 17), runtime))
    const known = await constants(runtime, model)
    const constant = (name: string) => known.get(name) ?? model.graph.initializers.get(name)
    const first = await traceInferred(runtime, model, sampleInputs(model, { sizes: pattern.sizes[0]! }))
    const sizes = followSizes(model, { constant, ...first, traced: first.types })
    for (const one of pattern.sizes) {
      const { types } = await traceInferred(runtime, model, sampleInputs(model, { sizes: one }))
      const found = await constants(runtime, model, { shapes: types })
      const seen = new Map<string, number>()
      const holds = (size: Size, number: number, what: string) => {
        if (isFixed(size)) return expect(number, what).toBe(size)
        expect(number, `${what} and another of the same size`).toBe(seen.get(size.key) ?? number)
        seen.set(size.key, number)
      }
      for (const [name, { dims }] of types)
        sizes.dims(name)?.forEach((size, axis) => void holds(size, dims[axis]!, `axis ${axis} of ${name}`))
      for (const [name, tensor] of found) {
        if (tensor.type !== 'int64' && tensor.type !== 'bool') continue
        const numbers = numbersOf(tensor)
        sizes.elements(name)?.forEach((size, i) => void holds(size, numbers[i]!, `element ${i} of ${name}`))
      }
    }
  })
})
