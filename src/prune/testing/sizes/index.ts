import { GraphBuilder, type Model, makeGraph, makeModel } from '../../../onnx/index.ts'
import { channelCases } from './channels.ts'
import { choiceCases } from './choices.ts'
import { imageCases } from './images.ts'
import { SizeNet } from './net.ts'
import { recurrentCases } from './recurrent.ts'
import { tokenCases } from './tokens.ts'
import type { SizeCase } from './types.ts'

export { type Compared, compareAt, type Mismatch } from './compare.ts'
export type { SizeCase, Sizes } from './types.ts'

/** Every pattern of size arithmetic and control flow, by family. */
export const sizeCases: readonly SizeCase[] = [
  ...imageCases,
  ...channelCases,
  ...tokenCases,
  ...recurrentCases,
  ...choiceCases,
]

/** Opsets at which exporters write them differently. */
export const opsets = [11, 13, 17] as const

/** The network of a case as exporters write it at an opset. */
export const modelOf = ({ dims, write }: SizeCase, opset: number): Model => {
  const graph = makeGraph('net')
  graph.inputs.push({ name: 'x', type: 'float32', dims: [...dims] })
  const outputs = [write(new SizeNet(new GraphBuilder(graph), opset))].flat()
  graph.outputs = outputs.map((name) => ({ name, type: 'float32' }))
  return makeModel(graph, { opset })
}
