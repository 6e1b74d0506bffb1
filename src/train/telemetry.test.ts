import { describe, expect, test } from 'vitest'
import { clipNorm, type Link, optimizer, ranger } from '../optim/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import type { TrainEvent } from './events.ts'
import { type Telemetry, telemetryLines } from './telemetry.ts'
import { smallCnn, smallDigits } from './testing/samples.ts'
import { train } from './trainer.ts'

const told = async (telemetryEvery: number) => {
  const lines: Telemetry[] = []
  const events: TrainEvent[] = []
  const gather = telemetryLines((line) => lines.push(line))
  const { links, ...rest } = ranger({ lr: 1e-2, k: 4 })
  const { state } = await train(smallCnn(), {
    ...{ runtime: nodeRuntime, threads: 1, data: await smallDigits(80), batch: 8, epochs: 1, telemetryEvery },
    recipe: optimizer([clipNorm(0.1), ...links], rest),
    onEvent: (event) => {
      events.push(event)
      gather(event)
    },
  })
  return { lines, events, state }
}

describe('telemetry of a run', () => {
  test('is one line for each step it is asked of, with what every link has to say', async () => {
    const { lines } = await told(3)
    expect(lines.map(({ step }) => step)).toEqual([3, 6, 9])
    const [third, sixth] = lines
    expect(third!.rectification).toMatchObject({ factor: 1, mode: 'sgd' })
    expect(sixth!.rectification!.mode).toBe('adaptive')
    expect(sixth!.rectification!.factor).toBeLessThan(0.1)
    for (const { clip, norm, centralized, distance, ratio } of lines) {
      expect(clip).toEqual({ 'clip-norm': norm! > 0.1 ? 1 : 0 })
      expect(Object.keys(centralized!)).toEqual(['conv1.weight', 'conv2.weight', 'fc.weight'])
      for (const share of Object.values(centralized!)) expect(share > 0 && share < 1).toBe(true)
      expect(Object.keys(ratio!)).toHaveLength(6)
      expect(ratio!['fc.weight']).toBeGreaterThan(0)
      expect(distance!['fc.weight']).toBeGreaterThan(0)
    }
  })

  test('is not asked for on other steps, and changes nothing', async () => {
    const [with3, without] = [await told(3), await told(0)]
    expect(without.lines).toEqual([])
    expect(without.events.some(({ type }) => type === 'optimizer')).toBe(false)
    expect(new Set(with3.events.flatMap((e) => (e.type === 'optimizer' ? [e.step] : [])))).toEqual(new Set([3, 6, 9]))
    expect(without.state.weights).toEqual(with3.state.weights)
  })

  test('costs the links nothing on other steps: they are not listened to', async () => {
    const heard: number[] = []
    const ear: Link = { name: 'ear', update: (site) => site.emit && heard.push(site.step) }
    await train(smallCnn(), {
      ...{ runtime: nodeRuntime, threads: 1, data: await smallDigits(80), batch: 8, epochs: 1, telemetryEvery: 4 },
      recipe: optimizer([ear]),
    })
    expect([...new Set(heard)]).toEqual([4, 8])
    expect(heard).toHaveLength(2 * 6)
  })
})
