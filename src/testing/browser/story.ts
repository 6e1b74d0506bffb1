import { float32Of } from '../../base/index.ts'
import { batchOf, type Dataset, dataset } from '../../data/index.ts'
import {
  batchNorm,
  buildModel,
  conv,
  flatten,
  heNormal,
  linear,
  networkNamed,
  relu,
  residualStages,
} from '../../nn/index.ts'
import { encodeModel, type Model } from '../../onnx/index.ts'
import { ranger } from '../../optim/index.ts'
import { pruneModel, verifyPlan } from '../../prune/index.ts'
import type { Runtime } from '../../runtime/index.ts'
import { webRuntimeOf } from '../../runtime/web.ts'
import { evaluate, train } from '../../train/index.ts'

/** MNIST pictures of 784 bytes one after another, and their classes. */
export type Digits = { readonly images: Uint8Array; readonly labels: Uint8Array }

export type Task = { readonly train: Digits; readonly test: Digits; readonly threads: number }

/** What became of one network in the browser. */
export type Story = {
  readonly network: string
  /** Of each training step, then of each step after pruning. */
  readonly losses: readonly number[]
  readonly retrainLosses: readonly number[]
  readonly accuracy: { readonly untrained: number; readonly trained: number; readonly retrained: number }
  /** The equality proof: the largest relative difference between the masked original and the pruned network. */
  readonly difference: number
  readonly equal: boolean
  readonly bytes: { readonly original: number; readonly pruned: number }
  /** The retrained network's ONNX file, and its answers to the first 16 test pictures. */
  readonly file: Uint8Array
  readonly answers: readonly number[]
}

/** A small residual network with batch normalization for [1, 28, 28]. */
const residual = (): Model =>
  buildModel('residual', { dims: [1, 28, 28] }, { seed: 0, init: heNormal() }, (net, input) => {
    let x = conv(net, 'conv1', input, { to: 8, kernel: 3, stride: 2, pad: 1, bias: false })
    x = residualStages(net, relu(net, batchNorm(net, 'bn1', x)), { widths: [8, 16], blocks: 1 })
    return linear(net, 'fc', flatten(net, x, 'features'), { to: 10, output: 'logits' })
  })

/** How each network is made, and a rate that teaches it something within a few dozen steps. */
const networks = {
  'seed-cnn': { build: () => networkNamed('seed-cnn').build({ seed: 0 }), lr: 0.05 },
  residual: { build: residual, lr: 0.1 },
}

export type NetworkName = keyof typeof networks

/** Train, prune by half, prove, retrain and write the file, all on the WebAssembly engine. */
export const tell = async (network: NetworkName, task: Task): Promise<Story> => {
  const runtime = webRuntimeOf({ threads: task.threads })
  const { build, lr } = networks[network]
  const [data, test] = [datasetOf('train', task.train), datasetOf('test', task.test)]
  const common = { runtime, data, test, batch: 20, seed: 0, epochs: 1, evaluateEvery: 0 }

  const original = build()
  const losses: number[] = []
  const trained = await train(original, {
    ...common,
    recipe: ranger({ lr }),
    onEvent: (event) => event.type === 'step' && losses.push(event.loss),
  })
  const pruned = await pruneModel(trained.model, { runtime, target: { ratio: 0.5 } })
  const proof = await verifyPlan(trained.model, pruned.model, pruned.plan, { runtime })
  const retrainLosses: number[] = []
  const retrained = await train(pruned.model, {
    ...common,
    recipe: ranger({ lr: lr / 2 }),
    onEvent: (event) => event.type === 'step' && retrainLosses.push(event.loss),
  })
  const file = encodeModel(retrained.model)
  return {
    network,
    losses,
    retrainLosses,
    accuracy: {
      untrained: (await evaluate(original, test, { runtime })).accuracy,
      trained: trained.accuracy ?? 0,
      retrained: retrained.accuracy ?? 0,
    },
    difference: proof.difference,
    equal: proof.equal,
    bytes: { original: encodeModel(trained.model).byteLength, pruned: file.byteLength },
    file,
    answers: Array.from(await answersOf(runtime, file, test)),
  }
}

/** What a file answers to the first 16 samples. */
export const answersOf = async (runtime: Runtime, file: Uint8Array, samples: Dataset): Promise<Float32Array> => {
  const session = await runtime.open(file)
  const { logits } = await session.run({ input: firstOf(samples) })
  await session.close()
  return float32Of(logits!)
}

export const datasetOf = (name: string, { images, labels }: Digits): Dataset =>
  dataset({ name, inputs: images, sampleDims: [1, 28, 28], labels, classes: 10 })

const firstOf = (samples: Dataset) =>
  batchOf(
    samples,
    Array.from({ length: 16 }, (_, i) => i),
  ).inputs
