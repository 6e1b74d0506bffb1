import { expect, test } from 'vitest'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { sampleInputs } from './index.ts'
import { modelOf, opsets, sizeCases } from './testing/sizes/index.ts'

test.each(sizeCases)('$name: the network runs at all its sizes', async (pattern) => {
  for (const opset of opsets) {
    const model = modelOf(pattern, opset)
    const session = await runtime.open(model)
    for (const sizes of pattern.sizes) {
      const outputs = await session.run(sampleInputs(model, { sizes }))
      expect(Object.keys(outputs)).toEqual(model.graph.outputs.map(({ name }) => name))
    }
    await session.close()
  }
})
