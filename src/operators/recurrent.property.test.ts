import fc from 'fast-check'
import { test } from 'vitest'
import { int32 } from '../base/index.ts'
import type { InputSpec } from './cases/types.ts'
import { checkGradient } from './testing/check.ts'
import { expectSmall } from './testing/gradients.ts'

// Recurrent layers with every choice at once: directions, biases, sequence lengths, initial states, peepholes, outputs.

const gates = { RNN: 1, GRU: 3, LSTM: 4 }

const layer = fc
  .record({
    steps: fc.integer({ min: 1, max: 4 }),
    batch: fc.integer({ min: 1, max: 3 }),
    inputs: fc.integer({ min: 1, max: 3 }),
    hidden: fc.integer({ min: 1, max: 3 }),
    direction: fc.constantFrom('forward', 'reverse', 'bidirectional'),
    bias: fc.boolean(),
    initial: fc.boolean(),
    peepholes: fc.boolean(),
    linear: fc.boolean(),
    coupled: fc.boolean(),
    lengths: fc.option(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 3 })),
    outputs: fc.integer({ min: 1, max: 3 }),
  })
  .map((l) => ({ ...l, lengths: l.lengths?.slice(0, l.batch).map((shorter) => Math.max(l.steps - shorter, 1)) }))

test.each(['RNN', 'GRU', 'LSTM'] as const)('%s, whatever it is given', async (op) => {
  await fc.assert(
    fc.asyncProperty(layer, async (l) => {
      const directions = l.direction === 'bidirectional' ? 2 : 1
      const rows = gates[op] * l.hidden
      const state = [directions, l.batch, l.hidden]
      const inputs: Record<string, InputSpec | undefined> = {
        X: [l.steps, l.batch, l.inputs],
        W: [directions, rows, l.inputs],
        R: [directions, rows, l.hidden],
        B: l.bias ? [directions, 2 * rows] : undefined,
        lengths: l.lengths ? int32([l.batch], l.lengths) : undefined,
        initial: l.initial ? state : undefined,
        ...(op === 'LSTM' && { cell: l.initial ? state : undefined }),
        ...(op === 'LSTM' && l.peepholes && { P: [directions, 3 * l.hidden] }),
      }
      const errors = await checkGradient({
        op,
        name: 'at random',
        inputs,
        attributes: {
          hidden_size: l.hidden,
          direction: l.direction,
          ...(op === 'GRU' && { linear_before_reset: l.linear ? 1 : 0 }),
          ...(op === 'LSTM' && { input_forget: l.coupled ? 1 : 0 }),
        },
        outputs: op === 'LSTM' ? l.outputs : Math.min(l.outputs, 2),
      })
      expectSmall(errors)
    }),
    { numRuns: 20 },
  )
})
