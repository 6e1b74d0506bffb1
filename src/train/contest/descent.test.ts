import { beforeAll, describe, expect, test } from 'vitest'
import type { Dataset } from '../../data/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { smallCnn, smallDigits } from '../testing/samples.ts'
import { type DescentPoint, entrantOf, watchDescent } from './index.ts'

let data: Dataset
const watch = (name: string, rate: number): Promise<DescentPoint[]> => {
  const recipe = entrantOf(name).recipe({ rate, schedule: 'constant' }, 30)
  return watchDescent(smallCnn(1), { runtime: nodeRuntime, data, recipe, batch: 20, steps: 30, probeEvery: 10 })
}

beforeAll(async () => {
  data = await smallDigits(100)
})

describe('a descent', () => {
  test('leaves the mean of every filter where it began under SGD with centralization, and only there', async () => {
    const [plain, centred] = [await watch('sgd', 0.05), await watch('gc+sgd', 0.05)]
    expect(plain.at(-1)!.meanDrift).toBeGreaterThan(1e-3)
    expect(centred.at(-1)!.meanDrift).toBeLessThan(1e-6)
  })

  test('does so under Ranger where the update is centred, not where the gradient is', async () => {
    const [update, gradient] = [await watch('ranger', 0.01), await watch('ranger:gc=gradient', 0.01)]
    expect(update.at(-1)!.meanDrift).toBeLessThan(1e-6)
    expect(gradient.at(-1)!.meanDrift).toBeGreaterThan(1e-4)
  })

  test('is measured at every tenth step; a centred vector is never the longer', async () => {
    const points = await watch('sgd', 0.05)
    expect(points.map(({ step }) => step)).toEqual([10, 20, 30])
    for (const point of points) {
      expect(point.centred).toBeLessThan(point.gradient)
      expect(point.centredSlopeChange).toBeLessThan(point.slopeChange)
      expect(point.slopeChange).toBeGreaterThan(0)
    }
  })
})
