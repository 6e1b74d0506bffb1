import { describe, expect, test } from 'vitest'
import type { TrainEvent } from '../train/index.ts'
import { renderReport } from './page.ts'
import { type RunFacts, type RunLine, runReport } from './run.ts'

const facts: RunFacts = {
  ...{ model: 'lenet.onnx', dataset: 'mnist', optimizer: 'ranger', lossName: 'mse' },
  ...{ epochs: 2, samples: 60_000, parameters: 1200, trained: 1000 },
  made: { command: 'espalier train lenet.onnx' },
}
const step = (at: number, loss: number): RunLine => ({
  type: 'step',
  ...{ step: at, epoch: 0, loss, lr: 1e-3 / at, rate: 1, secondsLeft: 0 },
})
const evaluation = (at: number, samples: number): Extract<TrainEvent, { type: 'evaluation' }> => ({
  type: 'evaluation',
  ...{ step: at, epoch: 0, trainLoss: 1, loss: 0.5 / at, accuracy: 1 - 0.2 / at, samples },
})
const lines: readonly RunLine[] = [
  step(1, 2),
  step(2, 1),
  evaluation(2, 100),
  step(3, 0.5),
  { type: 'telemetry', step: 3, ratio: { 'fc.weight': 0.01 } },
  { type: 'skipped', step: 4, reason: 'not finite' },
  step(4, 0.6),
  { type: 'telemetry', step: 4, ratio: { 'fc.weight': 0.02 } },
  evaluation(4, 10_000),
]

const words = (data: ReturnType<typeof runReport>) =>
  renderReport(data)
    .replace(/<(script|style)>.*?<\/\1>/gs, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')

describe("a training run's page", () => {
  test('tells its end first, then how it went, the schedule and the links', () => {
    const data = runReport(lines, facts)
    expect(data.curve).toEqual([
      { step: 1, epoch: 0, loss: 2 },
      { step: 2, epoch: 0, loss: 1 },
      { step: 2, epoch: 0, testLoss: 0.25, testAccuracy: 0.9 },
      { step: 3, epoch: 0, loss: 0.5 },
      { step: 4, epoch: 0, loss: 0.6 },
      { step: 4, epoch: 0, testLoss: 0.125, testAccuracy: 0.95 },
    ])
    expect(data.series?.map(({ title }) => title)).toEqual(['Learning rate', 'Update against weight'])
    expect(data.series?.[0]?.series[0]?.points).toEqual([1, 2, 3, 4].map((t) => [t, 1e-3 / t]))
    const text = words(data)
    expect(text).toContain('95.00 % right after 4 steps lenet.onnx on mnist, trained with ranger.')
    expect(text).toContain('1 of the steps moved nothing')
    expect(text).toContain('Test accuracy 95.00 % of 10,000 samples')
    expect(text).toContain('Test loss 0.125 mse')
    expect(text).toContain('Steps 4 2 passes over 60,000 samples')
    expect(text).toContain('Weights trained 1,000 of 1,200')
    expect(text).toContain('1 Train with ranger')
    expect(text).toContain('mse, log scale')
    expect(text).toContain('On 100 test samples, to save time; the last on all 10,000.')
    expect(text).toContain('2 Along the way')
    expect(text).toContain('3 How this was made')
    expect(text).not.toMatch(/unchanged|NaN|undefined/)
  })

  test('draws losses below zero on a linear scale, and the overlap of pixels', () => {
    const likelihoods = lines.map((line) => ('loss' in line ? { ...line, loss: line.loss - 1, meanIoU: 0.5 } : line))
    const text = words(runReport(likelihoods, facts))
    expect(text).not.toContain('mse, log scale')
    expect(text).toContain('Mean intersection over union')
  })

  test('of numbers to meet, none of which is right or wrong, tells the loss', () => {
    const numbers = lines.map((line) =>
      line.type === 'evaluation' ? { ...line, accuracy: Number.NaN, meanError: 0.25, explained: 0.75 } : line,
    )
    for (const told of [numbers, JSON.parse(JSON.stringify(numbers))]) {
      const text = words(runReport(told, facts))
      expect(text).toContain('A test loss of 0.125 after 4 steps')
      expect(text).toContain('Variance explained 75.00 % R², 10,000 samples Mean error 0.250')
      expect(text).toContain('The share of the test targets’ variance')
      expect(text).not.toMatch(/accuracy|right answers|NaN|null/i)
    }
  })

  test('without test samples, or without a step, says what there is', () => {
    const untested = words(
      runReport(
        lines.filter(({ type }) => type !== 'evaluation'),
        { ...facts, epochs: 1 },
      ),
    )
    expect(untested).toContain('Trained after 4 steps')
    expect(untested).toContain('1 pass over')
    expect(untested).not.toContain('Test accuracy')
    expect(words(runReport([], facts))).toContain('1 How this was made')
  })
})
