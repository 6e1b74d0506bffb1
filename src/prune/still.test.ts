import { describe, expect, test } from 'vitest'
import { float32, sizeOf } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { absorbConstants } from './absorb.ts'
import { analyzeModel, applyPlan, planPruning, verifyPlan } from './index.ts'
import { Net } from './testing/networks.ts'

/** A network of images of any size, whose biases are far from 0. */
class Images extends Net {
  constructor() {
    super([2, 8, 8])
  }

  /** A convolution without padding. */
  bare(x: string, name: string, shape: [number, number, number], group = 1): string {
    return this.conv(x, name, shape, group, 0)
  }

  mean(x: string): string {
    return this.flatten(this.b.op('GlobalAveragePool', [x]))
  }

  sized(y: string): Model {
    const model = this.model(y)
    model.graph.inputs[0]!.dims = ['N', 2, 'H', 'W']
    for (const [name, { dims }] of model.graph.initializers)
      if (name.endsWith('.bias'))
        model.graph.initializers.set(name, float32(dims, new Float32Array(sizeOf(dims)).fill(0.6)))
    return model
  }
}

const absorbed = async (model: Model) => {
  const analysis = await analyzeModel(model, { runtime })
  const plan = planPruning(model, analysis, { target: { ratio: 0.5 }, criterion: 'random' })
  const cut = applyPlan(model, plan, analysis)
  const found = await absorbConstants(cut, model, plan, analysis, { runtime })
  const proof = await verifyPlan(model, found.model, found.plan, { runtime })
  expect(proof.changed).toEqual([])
  expect(proof.difference).toBeLessThan(1e-4)
  return {
    groups: found.plan.absorbed?.groups ?? [],
    biases: Object.keys(found.plan.absorbed?.biases ?? {}),
    left: found.left,
  }
}

describe('constants are absorbed where they surely are constants', () => {
  const cases: { [name: string]: { build: (net: Images) => string; into: readonly string[] } } = {
    'a layer inside a residual stream takes what it reads of the stream it adds to': {
      build: (net) => {
        const h = net.relu(net.bare('x', 'a', [8, 2, 3]))
        const y = net.b.op('Add', [h, net.bare(h, 'b', [8, 8, 1])])
        return net.dense(net.mean(net.relu(net.bare(y, 'c', [4, 8, 1]))), 'd', [3, 4])
      },
      into: ['b.bias', 'c.bias', 'd.bias'],
    },
    'two layers with one weight, each with its own bias': {
      build: (net) => {
        const h = net.relu(net.bare('x', 'a', [8, 2, 3]))
        const g = net.b.op('Sigmoid', [h])
        const weight = net.weight('w', [5, 8, 1, 1])
        const [one, two] = [h, g].map((from, i) =>
          net.relu(net.b.op('Conv', [from, weight, net.weight(`${'pq'[i]}.bias`, [5])], { kernel_shape: [1, 1] })),
        )
        return net.dense(net.mean(net.b.op('Add', [one!, two!])), 'd', [3, 5])
      },
      into: ['p.bias', 'q.bias', 'd.bias'],
    },
    'squeeze and excitation': {
      build: (net) => {
        const h = net.relu(net.bare('x', 'a', [8, 2, 3]))
        const squeezed = net.relu(net.bare(net.b.op('GlobalAveragePool', [h]), 'b', [4, 8, 1]))
        const scale = net.b.op('Sigmoid', [net.bare(squeezed, 'c', [8, 4, 1])])
        return net.dense(net.mean(net.bare(net.b.op('Mul', [h, scale]), 'e', [6, 8, 1])), 'd', [3, 6])
      },
      into: ['b.bias', 'c.bias', 'e.bias', 'd.bias'],
    },
    'what passes a normalization, a depthwise layer, a pool, Concat, Split and Transpose': {
      build: (net) => {
        const h = net.relu(net.norm(net.bare('x', 'a', [8, 2, 3]), 'n', 8))
        const deep = net.relu(net.bare(h, 'deep', [8, 1, 3], 8))
        const both = net.b.op('Concat', [net.pool(deep), net.b.op('Tanh', [net.pool(deep)])], { axis: 1 })
        const [one, two] = net.b.ops('Split', [both, net.b.ints([8, 8])], 2, { axis: 1 })
        const last = net.b.op('Transpose', [net.b.op('Sub', [one!, two!])], { perm: [0, 2, 3, 1] })
        const product = net.b.op('MatMul', [last, net.weight('w', [8, 5])])
        const sum = net.b.op('Add', [product, net.weight('m.bias', [5])])
        return net.b.op('ReduceMean', [sum], { axes: [1, 2], keepdims: 0 })
      },
      into: ['m.bias'],
    },
  }

  test.each(Object.entries(cases))('%s', async (_, { build, into }) => {
    const net = new Images()
    const { biases, left } = await absorbed(net.sized(build(net)))
    expect(left).toEqual([])
    expect(new Set(biases)).toEqual(new Set(into))
  })
})

describe('and left alone, with the reason, where they may not be', () => {
  const cases: { [name: string]: { build: (net: Images) => string; reason: RegExp } } = {
    'a weight that makes units and reads them again': {
      build: (net) => {
        const x = net.mean('x')
        const weight = net.weight('w', [8, 2])
        const h = net.relu(net.b.op('Gemm', [x, weight, net.weight('h.bias', [8])], { transB: 1 }))
        return net.dense(net.b.op('Gemm', [h, weight, net.weight('y.bias', [2])]), 'd', [3, 2])
      },
      reason: /its weight also makes the units/,
    },
    'a sum over an image of any size': {
      build: (net) => {
        const h = net.relu(net.bare('x', 'a', [8, 2, 3]))
        return net.dense(net.b.op('ReduceSum', [h, net.b.ints([2, 3])], { keepdims: 0 }), 'd', [3, 8])
      },
      reason: /ReduceSum .* not known to keep constants/,
    },
    'a factor that is 1 unless an input is enormous': {
      build: (net) => {
        const rare = net.relu(
          net.b.op('Sub', [net.b.op('ReduceMax', ['x'], { axes: [1], keepdims: 1 }), net.b.scalar(1e3)]),
        )
        const factor = net.b.op('Add', [rare, net.b.scalar(1)])
        const h = net.b.op('Mul', [net.relu(net.bare('x', 'a', [8, 2, 1])), factor])
        return net.dense(net.mean(net.bare(h, 'b', [6, 8, 1])), 'd', [3, 6])
      },
      reason: /not constant: Mul .* combines them with 'Add_out', which is not constant/,
    },
    'an average that counts the zeros around the image': {
      build: (net) => {
        const h = net.relu(net.bare('x', 'a', [8, 2, 3]))
        const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }
        return net.dense(net.mean(net.bare(net.b.op('AveragePool', [h], pads), 'b', [6, 8, 1])), 'd', [3, 6])
      },
      reason: /AveragePool/,
    },
  }

  test.each(Object.entries(cases))('%s', async (_, { build, reason }) => {
    const net = new Images()
    const { left } = await absorbed(net.sized(build(net)))
    expect(left.map((entry) => entry.reason).join('; ')).toMatch(reason)
  })
})
