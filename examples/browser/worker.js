// Everything heavy happens here: running a network blocks its thread, and a page must stay responsive.
import { dataset } from 'espalier/data'
import { decodeIdx } from 'espalier/formats'
import { networkNamed } from 'espalier/nn'
import { decodeModel, encodeModel } from 'espalier/onnx'
import { ranger } from 'espalier/optim'
import { analyzeModel, applyPlan, costOf, planPruning, verifyPlan } from 'espalier/prune'
import { webRuntime as runtime } from 'espalier/runtime/web'
import { train } from 'espalier/train'

/** The network on the page, as it is now. */
let model
let analysis
let digits
let stopped = new AbortController()

/** Takes a network in and tells the page what there is to prune. */
const take = async (next) => {
  model = next
  analysis = await analyzeModel(model, { runtime })
  return {
    cost: await costOf(model, { runtime }),
    groups: analysis.groups.map(({ name, size, approximate }) => ({ name, size, approximate })),
    frozen: analysis.frozen,
    learns: takesDigits(model),
  }
}

const planFor = (ratio) => planPruning(model, analysis, { target: { ratio } })

const takesDigits = ({ graph }) => {
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name))
  return inputs.length === 1 && inputs[0].dims?.slice(1).join() === '1,28,28'
}

/** Lets messages in: without a pause like this a training loop would keep its worker to itself. */
const breath = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => resolve(port1.close())
    port2.postMessage(0)
  })

const actions = {
  open: ({ file, bytes }) =>
    take(bytes ? decodeModel(new Uint8Array(bytes), { file }) : networkNamed('seed-cnn').build()),

  async plan({ ratio }) {
    const plan = planFor(ratio)
    const pruned = await costOf(applyPlan(model, plan, analysis), { runtime })
    return { kept: plan.groups.map(({ kept }) => kept), cost: pruned }
  },

  async prune({ ratio }) {
    const [before, plan] = [model, planFor(ratio)]
    const pruned = applyPlan(before, plan, analysis)
    const { equal, difference } = await verifyPlan(before, pruned, plan, { runtime })
    return { ...(await take(pruned)), equal, difference }
  },

  file: () => encodeModel(model),

  async digits({ files }) {
    digits = await droppedDigits(files)
    return { train: digits.train.size, test: digits.test.size }
  },

  async train({ pruned }) {
    digits ??= await builtInDigits()
    stopped = new AbortController()
    const large = digits.train.size > 5000
    const { model: trained, accuracy } = await train(model, {
      runtime,
      data: digits.train,
      test: digits.test,
      // A pruned network is trained at a smaller rate: it has most of what it needs.
      recipe: ranger({ lr: (large ? 5e-3 : 2e-2) / (pruned ? 4 : 1) }),
      epochs: large ? 1 : 4,
      batch: large ? 50 : 20,
      evaluateEvery: large ? 50 : 20,
      evaluateSamples: 500,
      signal: stopped.signal,
      async targetsOf({ labels }) {
        await breath()
        return { labels }
      },
      onEvent(event) {
        if (event.type === 'step' || event.type === 'evaluation') postMessage({ event })
      },
    })
    return { ...(await take(trained)), accuracy }
  },
}

let last = Promise.resolve()
addEventListener('message', ({ data: { id, action, ...rest } }) => {
  if (action === 'stop') return stopped.abort()
  last = last
    .then(() => actions[action](rest))
    .then(
      (result) => postMessage({ id, result }),
      (error) => postMessage({ id, error: error.message }),
    )
})

const digitsOf = (name, inputs, labels) => dataset({ name, inputs, labels, sampleDims: [1, 28, 28], classes: 10 })

/** digits.png: row k holds a hundred of MNIST's k, side by side; eighty are to learn from, twenty to be tested on. */
const builtInDigits = async () => {
  const picture = await createImageBitmap(await (await fetch(new URL('./digits.png', import.meta.url))).blob())
  const { width, height } = picture
  const canvas = new OffscreenCanvas(width, height).getContext('2d')
  canvas.drawImage(picture, 0, 0)
  const { data } = canvas.getImageData(0, 0, width, height)
  const part = (name, from, to) => {
    const labels = Array.from({ length: 10 * (to - from) }, (_, i) => i % 10)
    const pixels = Uint8Array.from({ length: labels.length * 784 }, (_, i) => {
      const [sample, y, x] = [Math.floor(i / 784), Math.floor((i % 784) / 28), i % 28]
      const [row, column] = [labels[sample] * 28 + y, (from + Math.floor(sample / 10)) * 28 + x]
      return data[4 * (row * width + column)]
    })
    return digitsOf(name, pixels, labels)
  }
  return { train: part('digits to learn from', 0, 80), test: part('digits to be tested on', 80, 100) }
}

/** MNIST's IDX files, plain or gzipped: images and labels, and those called t10k or test for testing. */
const droppedDigits = async (files) => {
  const read = async (part, what) => {
    const file = files.find(({ name }) => part.test(name) && name.includes(what))
    if (!file) return undefined
    const stream = file.name.endsWith('.gz')
      ? file.stream().pipeThrough(new DecompressionStream('gzip'))
      : file.stream()
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer())
    return decodeIdx(bytes, { file: file.name }).bytes
  }
  const pair = async (name, part) => {
    const [images, labels] = [await read(part, 'images'), await read(part, 'labels')]
    return images && labels && digitsOf(name, images, labels)
  }
  const all = await pair('dropped digits', /train/)
  const test = await pair('dropped test digits', /t10k|test/)
  if (!all || !test)
    throw new Error('drop all four files of MNIST together: train and t10k, images-idx3 and labels-idx1')
  return { train: all, test }
}
