import { expect, test } from 'vitest'
import { commandLine } from './run-report.ts'

test('a command line is written again as a shell takes it, without defaults', () => {
  const options = {
    data: { kind: 'text', value: 'SPEC', help: '' },
    lr: { kind: 'number', value: 'X', help: '', default: 1e-3 },
    epochs: { kind: 'number', value: 'N', help: '', default: 1 },
    freeze: { kind: 'list', value: 'PATTERN', help: '' },
    tune: { kind: 'flag', help: '' },
    resume: { kind: 'flag', help: '' },
    out: { kind: 'text', value: 'DIR', help: '' },
  } as const
  const values = { data: 'npz:a.npz', lr: 1e-3, epochs: 0, freeze: ['fc*', "it's"], tune: true, resume: true }
  expect(commandLine(['train', 'my net.onnx'], values, options)).toBe(
    String.raw`espalier train 'my net.onnx' --data npz:a.npz --epochs 0 --freeze 'fc*' --freeze 'it'\''s' --tune`,
  )
})
