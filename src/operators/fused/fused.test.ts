import { expect, test } from 'vitest'
import { numbersOf } from '../../base/index.ts'
import { GraphBuilder, makeGraph, makeModel } from '../../onnx/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { fusedCases } from '../cases/fused.ts'
import { loweringOf, lowerings } from '../index.ts'
import { contextOf, openEither } from '../testing/check.ts'

test.each(fusedCases.map((c) => [`${c.op}: ${c.name}`, c] as const))('%s, written in plain operators', async (_, c) => {
  const { one, session, out } = await openEither(c, 1)
  await session.close()
  const graph = makeGraph('lowered')
  for (const [name, tensor] of one.values)
    if (one.drawn.includes(name)) graph.inputs.push({ name, type: tensor.type, dims: [...tensor.dims] })
    else graph.initializers.set(name, tensor)
  const lower = loweringOf(one.node)
  const names = lower!({ ...contextOf(c, one, out), b: new GraphBuilder(graph, 'lowered') })
  expect(graph.nodes.filter((node) => loweringOf(node) !== undefined || node.domain !== '')).toEqual([])
  const compared = one.node.outputs.flatMap((output, i) =>
    names[i] === undefined ? [] : [[output, names[i]] as const],
  )
  expect(compared.length).toBeGreaterThan(0)
  graph.outputs = compared.map(([, name]) => ({ name, type: 'undefined' as const }))
  const plain = await nodeRuntime.open(makeModel(graph, { opset: c.opset ?? 17, irVersion: 10 }), { threads: 1 })
  const found = await plain.run(Object.fromEntries(one.drawn.map((name) => [name, one.values.get(name)!])))
  await plain.close()
  for (const [output, name] of compared) {
    expect(found[name]!.dims).toEqual(out[output]!.dims)
    const [x, y] = [numbersOf(found[name]!), numbersOf(out[output]!)]
    x.forEach((number, i) => void expect(number, `${output}[${i}]`).toBeCloseTo(y[i]!, 4))
  }
})

test('every operator that is lowered has a case', () => {
  const tried = new Set(fusedCases.map(({ domain = '', op }) => `${domain} ${op}`))
  const all = Object.entries(lowerings).flatMap(([domain, names]) => Object.keys(names).map((op) => `${domain} ${op}`))
  expect(all.filter((name) => !tried.has(name))).toEqual([])
})
