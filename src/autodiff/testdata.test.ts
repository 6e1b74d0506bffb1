import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { float32, float32Of, messageOf, random, type Tensor } from '../base/index.ts'
import {
  decodeModel,
  type Model,
  type Node,
  opsetOf,
  subgraphsOf,
  tensorFromProto,
  upgradeOpset,
} from '../onnx/index.ts'
import { operatorOf, stops } from '../operators/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { packaged } from '../testing/packages.ts'
import { checkDirections } from './testing/directions.ts'

// ONNX's own models, as Debian packages them (libonnx-testdata): every one whose outputs vary smoothly with some input has our
// gradient held against central differences along a few directions. What is left out is counted, by reason.

const root = packaged('libonnx-testdata')
const kinds = ['node', 'pytorch-converted', 'pytorch-operator', 'simple']
const folders = root
  ? kinds.flatMap((kind) =>
      readdirSync(join(root, kind))
        .sort()
        .map((name) => `${kind}/${name}`),
    )
  : []

/** Inputs that say how, not what: scales, ratios, regions, counts, class weights. They are bound, not varied. */
const bound: Readonly<Record<string, readonly number[]>> = {
  Resize: [1, 2],
  Upsample: [1],
  Dropout: [1],
  RoiAlign: [1],
  OneHot: [1],
  Range: [1],
  CastLike: [1],
  NegativeLogLikelihoodLoss: [2],
  SoftmaxCrossEntropyLoss: [2],
}

const read = (path: string) => new Uint8Array(readFileSync(path))

type Loaded = { readonly model: Model; readonly feeds: Readonly<Record<string, Tensor>> }

/**
 * A model with what is not varied as constants, and the rest to feed; or why it cannot be loaded so. What is too old for the
 * engine is raised to opset 7 first.
 */
const load = (folder: string): Loaded | string => {
  const model = upgradeOpset(decodeModel(read(join(root!, folder, 'model.onnx')), { file: folder }), 7)
  const { graph } = model
  const feeds: Record<string, Tensor> = {}
  const fixed = new Set(graph.nodes.flatMap((node) => (bound[node.opType] ?? []).flatMap((i) => node.inputs[i] || [])))
  for (const [i, { name, type }] of graph.inputs.entries()) {
    if (graph.initializers.has(name)) continue
    if (type === 'undefined') return 'an input is no tensor'
    const tensor = tensorFromProto(read(join(root!, folder, 'test_data_set_0', `input_${i}.pb`)))
    if (tensor.type === 'float32' && !fixed.has(name)) feeds[name] = tensor
    else graph.initializers.set(name, tensor)
  }
  graph.inputs = graph.inputs.filter(({ name }) => name in feeds)
  return { model, feeds }
}

const nodesOf = (nodes: readonly Node[]): Node[] =>
  nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap((graph) => nodesOf(graph.nodes))])

/** Why there is nothing to differentiate, seen from the nodes; undefined where there is. */
const reasonOf = ({ model }: Loaded, variables: readonly string[]): string | undefined => {
  const nodes = nodesOf(model.graph.nodes)
  if (variables.length === 0) return 'no input is a float32 tensor'
  if (nodes.some(({ opType, inputs }) => drawing.has(opType) || (opType === 'Dropout' && inputs[2])))
    return 'it draws at random'
  if (nodes.some(({ domain }) => domain === 'ai.onnx.preview.training'))
    return 'ONNX Runtime does not know the operator'
  if (nodes.some(({ opType }) => opType === 'Scan') && opsetOf(model) < 9) return 'Scan over batches, as opset 8 had it'
  return nodes.every((node) => operatorOf(node)?.gradient === stops) ? 'no output varies smoothly' : undefined
}

const drawing = new Set([
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Bernoulli',
  'Multinomial',
])

/** Why a model's gradient cannot be measured, seen from a run. */
const refusalOf = async ({ model, feeds }: Loaded): Promise<string | undefined> => {
  try {
    const session = await nodeRuntime.open(model, { threads: 1, optimization: 'disabled' })
    try {
      const outputs = Object.values(await session.run(feeds)).filter(({ type }) => type === 'float32')
      if (outputs.length === 0) return 'no output is a float32 tensor'
      return outputs.every((tensor) => float32Of(tensor).every(Number.isFinite)) ? undefined : 'an output is not finite'
    } finally {
      await session.close()
    }
  } catch {
    return 'ONNX Runtime does not run it'
  }
}

/** Values a little further on, each by another amount: away from kinks, ties and the ends of domains. */
const nudged = (feeds: Loaded['feeds']): Loaded['feeds'] => {
  const dice = random(7)
  return Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => [
      name,
      float32(
        tensor.dims,
        float32Of(tensor).map((x) => x + 0.02 + 0.02 * dice.uniform()),
      ),
    ]),
  )
}

/** What is wrong, if anything; in double where the engine has the kernels, else in single precision. */
const disagreement = async ({ model, feeds }: Loaded, variables: readonly string[]): Promise<string | undefined> => {
  const told: string[] = []
  for (const [type, tolerance] of [
    ['float64', 1e-6],
    ['float32', 5e-3],
  ] as const)
    for (const values of [feeds, nudged(feeds)])
      try {
        const { error, value, outputs } = await checkDirections(model, values, { variables, type })
        if (outputs === 0) return 'nothing to measure'
        if (error < tolerance) return undefined
        told.push(`${type}: ${error} for '${value}'`)
      } catch (error) {
        told.push(`${type}: ${messageOf(error)}`)
        break
      }
  return told.join('; ')
}

test.skipIf(!root)("our gradients of ONNX's models agree with differences", { timeout: 300_000 }, async () => {
  const skipped: Record<string, number> = {}
  const wrong: string[] = []
  let agreed = 0
  const check = async (folder: string): Promise<string | undefined> => {
    const loaded = load(folder)
    if (typeof loaded === 'string') return loaded
    const weights = [...loaded.model.graph.initializers].filter(([, { type }]) => type === 'float32').map(([n]) => n)
    const variables = [...Object.keys(loaded.feeds), ...(folder.startsWith('pytorch') ? weights : [])]
    const reason = reasonOf(loaded, variables)
    if (reason !== undefined) return reason
    const found = await disagreement(loaded, variables)
    if (found === undefined) {
      agreed++
      return undefined
    }
    if (/'Loop': no gradient is known/.test(found)) return 'a loop has as many steps as its inputs say'
    const refusal = await refusalOf(loaded)
    if (refusal === undefined) wrong.push(`${folder}: ${found}`)
    return refusal
  }
  for (const folder of folders) {
    const reason = await check(folder)
    if (reason !== undefined) skipped[reason] = (skipped[reason] ?? 0) + 1
  }
  expect(wrong).toEqual([])
  expect({ agreed, ...skipped }).toEqual({
    agreed: 721,
    'no input is a float32 tensor': 194,
    'no output varies smoothly': 90,
    // Sequences and optionals, which cannot be fed from JavaScript.
    'an input is no tensor': 22,
    // Casts to other types, powers of whole numbers.
    'no output is a float32 tensor': 13,
    'it draws at random': 10,
    // Adam, Adagrad, Momentum; Gradient has tests of its own.
    'ONNX Runtime does not know the operator': 9,
    // Recurrent layers with the batch first, bfloat16, powers of unsigned numbers.
    'ONNX Runtime does not run it': 8,
    'an output is not finite': 3,
    'Scan over batches, as opset 8 had it': 1,
    'a loop has as many steps as its inputs say': 1,
  })
})
