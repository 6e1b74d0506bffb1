import { describe, expect, it } from 'vitest'
import { bool, FormatError, int64 } from '../base/index.ts'
import { GraphBuilder } from './builder.ts'
import { decodeModel, encodeModel } from './codec.ts'
import { makeGraph, makeModel } from './graph.ts'
import { subgraph } from './node.ts'

/** A choice between two subgraphs that read values from outside. */
const branching = (): Uint8Array => {
  const branch = (opType: string) => {
    const inner = makeGraph(opType)
    const b = new GraphBuilder(inner, opType)
    inner.outputs = [{ name: b.op(opType, ['x', b.scalar(2)]), type: 'float32' }]
    return inner
  }
  const graph = makeGraph('choice')
  graph.inputs = [{ name: 'x', type: 'float32', dims: [2] }]
  const b = new GraphBuilder(graph)
  const condition = b.constant(bool([], [true]))
  const branches = { then_branch: subgraph(branch('Add')), else_branch: subgraph(branch('Mul')) }
  graph.outputs = [{ name: b.op('If', [condition], branches), type: 'float32' }]
  return encodeModel(makeModel(graph))
}

/** Milliseconds of work so far, which unlike the clock do not count what else the machine does. */
const cpuTime = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const huge = [0xff, 0xff, 0xff, 0xff, 0x07]

describe('a hostile file', () => {
  const repeated = (times: number, ...bytes: number[]) =>
    Uint8Array.from({ length: times * bytes.length }, (_, i) => bytes[i % bytes.length]!)
  /** A field's bytes: number, then length, then content. */
  const field = (no: number, content: Uint8Array): Uint8Array => {
    const length: number[] = []
    let left = content.length
    for (; left >= 128; left = Math.floor(left / 128)) length.push((left % 128) + 128)
    return Uint8Array.from([no * 8 + 2, ...length, left, ...content])
  }
  const nested = (levels: number): Uint8Array => {
    let graph: Uint8Array = field(2, new Uint8Array([103]))
    for (let i = 0; i < levels; i++) graph = field(1, field(5, field(6, graph)))
    return field(7, graph)
  }

  const hostile: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /the file is empty/],
    ['text', new TextEncoder().encode('<!doctype html><html>'), /not an ONNX file|damaged|truncated/],
    ['zeros', new Uint8Array(1000), /not an ONNX file or damaged: no field at byte 0/],
    ['a length past the end', new Uint8Array([0x3a, ...huge]), /claims 2147483647 bytes where 0 are left/],
    ['an endless number', repeated(1000, 0xff), /more than ten bytes/],
    ['graphs within graphs', nested(1000), /nested deeper than 100 levels/],
    ['groups within groups', repeated(100_000, 0xa3, 0x06), /nested deeper than 100 levels/],
    ['a group without an end', new Uint8Array([0xa3, 0x06]), /a group at byte 2 has no end/],
    ['millions of empty nodes', field(7, repeated(4_000_001, 0x0a, 0)), /more than 4000000 messages/],
    ['millions of unknown fields', repeated(4_000_001, 0xa0, 0x06, 0), /more than 4000000 unknown fields/],
    ['a list ending within a number', field(7, field(5, field(4, new Uint8Array(7)))), /ends within a number/],
    ['a field of another kind', new Uint8Array([0x38, 1]), /ModelProto.graph at byte 0 has the form of another kind/],
  ]
  it.each(hostile)('is refused: %s', (_, bytes, message) => {
    const start = cpuTime()
    const read = () => decodeModel(bytes, { file: 'bad.onnx' })
    expect(read).toThrow(FormatError)
    expect(read).toThrow(message)
    expect(cpuTime() - start).toBeLessThan(5000)
  })

  it('as deep as allowed is read', () => {
    const model = decodeModel(branching())
    expect(model.graph.nodes).toHaveLength(1)
    expect(() => decodeModel(nested(30))).toThrow(/without an operator/)
  })

  it('every prefix of a sound file is read or refused', () => {
    const whole = int64([3], [1, 2, 3])
    const model = makeModel(makeGraph('g'))
    model.graph.initializers.set('w', whole)
    const bytes = encodeModel(model)
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeModel(bytes.slice(0, length))).toThrow(FormatError)
  })
})
