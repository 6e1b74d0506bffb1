import { numbersOf } from '../../../base/index.ts'
import { copyModel, type Model } from '../../../onnx/index.ts'
import { type Runtime, trace, type Values } from '../../../runtime/index.ts'
import { sampleInputs } from '../../feeds.ts'
import { isFloating } from '../../importance/weights.ts'

/**
 * The inputs among the first few random ones of batch 1 at which every value of the network is a number. Masking equals
 * removing because 0·x = 0, and 0·∞ is none: where the network itself divides by a 0 (a quantized number, inverted), its
 * masked units say NaN, which without them nothing says.
 */
export const definedInputs = async (model: Model, runtime: Runtime): Promise<Values[]> => {
  const feeds = Array.from({ length: 12 }, (_, seed) => sampleInputs(model, { batch: 1, seed }))
  const types = await trace(runtime, model, feeds[0]!)
  const probe = copyModel(model)
  probe.graph.outputs = model.graph.nodes.flatMap(({ outputs }) =>
    outputs.flatMap((name) => {
      const type = types.get(name)
      return type && isFloating(type) ? [{ name, type: type.type }] : []
    }),
  )
  const session = await runtime.open(probe)
  try {
    const found: Values[] = []
    for (const inputs of feeds) {
      const values = Object.values(await session.run(inputs))
      if (values.every((tensor) => numbersOf(tensor).every(Number.isFinite))) found.push(inputs)
    }
    return found
  } finally {
    await session.close()
  }
}
