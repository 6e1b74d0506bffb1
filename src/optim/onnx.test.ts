import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { numbersOf, type Tensor } from '../base/index.ts'
import { decodeModel, floatOf, type Node, stringOf } from '../onnx/index.ts'
import { tensorFromProto } from '../onnx/tensorproto.ts'
import { packaged } from '../testing/packages.ts'
import { withDecay } from './links/decay.ts'
import { adagradScaling, adamScaling, momentum, weightDecay } from './links/index.ts'
import { optimizer, type Recipe } from './optimizer.ts'
import type { Slots } from './types.ts'

const root = packaged('libonnx-testdata')
const folder = `${root}/node`
const cases = root ? readdirSync(folder).filter((name) => /^test_(adam|adagrad|momentum|nesterov)/.test(name)) : []

const tensor = (path: string): Tensor => tensorFromProto(readFileSync(path), { file: path })

/** ONNX's training operators (ai.onnx.preview.training 1) as chains: rate, step T, then X…, G…, and each state's tensors. */
const chains: Record<string, (node: Node, t: number) => { recipe: (lr: number) => Recipe; states: string[] }> = {
  Adagrad: (node) => ({
    states: ['sum'],
    recipe: (lr) =>
      optimizer(
        withDecay({ decay: 'l2', weightDecay: floatOf(node, 'norm_coefficient', 0) }, [
          adagradScaling({ eps: floatOf(node, 'epsilon', 1e-6), rateDecay: floatOf(node, 'decay_factor', 0) }),
        ]),
        { lr },
      ),
  }),
  // Its correction is √(1−βᵗ)/(1−αᵗ) with eps on the raw root, and none at T = 0.
  Adam: (node, t) => ({
    states: ['momentum', 'variance'],
    recipe: (lr) =>
      optimizer(
        withDecay({ decay: 'l2', weightDecay: floatOf(node, 'norm_coefficient', 0) }, [
          adamScaling({
            betas: [floatOf(node, 'alpha', 0.9), floatOf(node, 'beta', 0.999)],
            // The vectors of several tensors were made with 0.01, which their node does not say.
            eps: floatOf(node, 'epsilon', node.inputs.length > 6 ? 1e-2 : 1e-6),
            epsOn: 'raw',
            correct: t > 0 ? 'both' : 'none',
          }),
          weightDecay({ decay: 'after', weightDecay: floatOf(node, 'norm_coefficient_post', 0) / lr }),
        ]),
        { lr },
      ),
  }),
  Momentum: (node, t) => ({
    states: ['momentum'],
    recipe: (lr) =>
      optimizer(
        withDecay({ decay: 'l2', weightDecay: floatOf(node, 'norm_coefficient', 0) }, [
          // β weighs the gradient from T = 1 on.
          momentum({
            momentum: floatOf(node, 'alpha', 0),
            nesterov: stringOf(node, 'mode', '') === 'nesterov',
            dampening: t > 0 ? 1 - floatOf(node, 'beta', 1) : 0,
          }),
        ]),
        { lr },
      ),
  }),
}

describe.skipIf(!root)("ONNX's own vectors", () => {
  test.each(cases)('%s', (name) => {
    const model = decodeModel(readFileSync(`${folder}/${name}/model.onnx`))
    const node = model.graph.nodes[0]!
    const data = `${folder}/${name}/test_data_set_0`
    const inputs = node.inputs.map((_, i) => tensor(`${data}/input_${i}.pb`))
    const [rate, time, ...rest] = inputs
    const t = numbersOf(time!)[0]!
    const { recipe, states } = chains[node.opType]!(node, t)
    const count = rest.length / (2 + states.length)
    const part = (k: number) => rest.slice(k * count, (k + 1) * count).map((x) => Float32Array.from(numbersOf(x)))

    const parameters = part(0).map((values, i) => ({
      name: `x${i}`,
      dims: [values.length],
      role: 'vector' as const,
      values,
    }))
    const running = recipe(numbersOf(rate!)[0]!).start(parameters)
    const slotsOf = (i: number): Slots =>
      running.links.find(({ slots }) => slots.get(`x${i}`)?.[states[0]!])!.slots.get(`x${i}`)!
    for (const [s, state] of states.entries())
      for (const [i, values] of part(2 + s).entries()) slotsOf(i)[state]!.set(values)
    // Our count of steps begins at 1, when a momentum has no past; theirs has one even at T = 0.
    for (const { name } of parameters)
      running.steps.set(name, t - (node.opType === 'Adam' ? 1 : 0) + (node.opType === 'Momentum' ? 1 : 0))

    running.step(new Map(part(1).map((gradient, i) => [`x${i}`, gradient])))
    const outputs = [
      parameters.map(({ values }) => values),
      ...states.map((state) => parameters.map((_, i) => slotsOf(i)[state]!)),
    ].flat()
    expect(outputs).toHaveLength(node.outputs.length)
    for (const [i, output] of outputs.entries())
      for (const [k, expected] of numbersOf(tensor(`${data}/output_${i}.pb`)).entries())
        expect(output[k]).toBeCloseTo(expected, 5)
  })
})
