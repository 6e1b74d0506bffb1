import { describe, expect, it } from 'vitest'
import { EspalierError } from './index.ts'

describe('an error', () => {
  it('names the place and the remedy in one line', () => {
    const error = new EspalierError('it is broken', { place: { file: 'a.onnx', axis: 1 }, remedy: 'mend it' })
    expect(error.message).toBe("file 'a.onnx', axis 1: it is broken; mend it")
  })

  it('stays one short line whatever the names hold', () => {
    const error = new EspalierError('bad\nname', { place: { node: `x\u001b[2J\n${'y'.repeat(1e6)}` } })
    expect(error.message).not.toMatch(/\p{Cc}/u)
    expect(error.message.length).toBeLessThan(500)
  })
})
