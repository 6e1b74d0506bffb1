import { type Random, random } from '../../base/index.ts'
import { tsne } from '../embeddings/index.ts'
import type { Confusion, CurvePoint, GreyPicture, LayerScores, ReportData } from '../types.ts'

/** Seven segments of a digit: top, upper left, upper right, middle, lower left, lower right, bottom. */
const segments = [
  '1110111',
  '0010010',
  '1011101',
  '1011011',
  '0111010',
  '1101011',
  '1101111',
  '1010010',
  '1111111',
  '1111011',
]
const strokes = [
  [8, 5, 20, 5],
  [8, 5, 7, 14],
  [20, 5, 20, 14],
  [7, 14, 20, 14],
  [7, 14, 7, 23],
  [20, 14, 19, 23],
  [7, 23, 19, 23],
] as const

/** A digit drawn with a soft, slanted pen, a little different each time. */
const digit = (value: number, generator: Random): GreyPicture => {
  const slant = 0.25 * generator.normal() * 0.6
  const [dx, dy, pen] = [generator.normal(), generator.normal(), 1.3 + 0.4 * generator.uniform()]
  const pixels = Array.from({ length: 784 }, (_, at) => {
    const [px, py] = [at % 28, Math.floor(at / 28)]
    const nearest = Math.min(
      ...strokes
        .filter((_, s) => segments[value]![s] === '1')
        .map(([x0, y0, x1, y1]) => {
          const [ax, ay, bx, by] = [x0 + dx - slant * (y0 - 14), y0 + dy, x1 + dx - slant * (y1 - 14), y1 + dy]
          const along = ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
          const t = Math.min(1, Math.max(0, along))
          return Math.hypot(px - ax - t * (bx - ax), py - ay - t * (by - ay))
        }),
    )
    return Math.round(255 * Math.min(1, Math.max(0, pen + 0.5 - nearest)))
  })
  return { width: 28, height: 28, pixels }
}

const training = (generator: Random): CurvePoint[] =>
  Array.from({ length: 1440 }, (_, k) => {
    const step = 5 * (k + 1)
    const since = step > 3600 ? (step > 5400 ? step - 5400 : step - 3600) : step
    const fresh = step <= 3600
    const base = fresh
      ? 2.2 * Math.exp(-since / 130) + 0.35 * Math.exp(-since / 900) + 0.018
      : 0.3 * Math.exp(-since / 90) + 0.022
    const loss = base * Math.exp(0.55 * generator.normal())
    const right = Math.min(50, Math.max(3, Math.round(50 * (1 - 0.3 * base) + 0.8 * generator.normal())))
    const checked = step % 50 === 0
    const test = 1 - Math.min(0.9, 0.29 * base + 0.0035 + 0.0006 * generator.uniform())
    return {
      step,
      epoch: Math.ceil(step / 1200),
      loss,
      accuracy: right / 50,
      ...(checked && {
        validationLoss: base * 1.15 + 0.012,
        validationAccuracy: test - 0.0007 * generator.uniform(),
        testAccuracy: test,
      }),
    }
  })

const scoresOf = (name: string, count: number, kept: number, generator: Random): LayerScores => {
  const scores = Array.from({ length: count }, (_, i) => (1.2 + 4 * generator.uniform() ** 1.4) * (1 + (i % 3) / 8))
  const cut = [...scores].sort((a, b) => b - a)[kept - 1]!
  return { name, scores, kept: scores.map((score) => score >= cut), threshold: cut, criterion: 'L1 norm' }
}

const confused = (title: string, share: number, generator: Random): Confusion => ({
  title,
  classes: digits,
  counts: digits.map((_, i) => {
    const row = digits.map((_, j) => (i === j ? 0 : Math.floor(share * 9 * generator.uniform() ** 3)))
    row[i] = 1000 - row.reduce((a, b) => a + b, 0)
    return row
  }),
})

const digits = Array.from({ length: 10 }, (_, k) => String(k))

/** A report with everything in it: invented figures, of the shape and size that MNIST gives. */
export const sampleReport = (seed = 0, pointCount = 500): ReportData => {
  const generator = random(seed)
  const labels = Array.from({ length: pointCount }, () => generator.below(10))
  const centres = labels
    .map(() => 0)
    .slice(0, 10)
    .map(() => Array.from({ length: 20 }, () => 1.15 * generator.normal()))
  const values = Float64Array.from(labels.flatMap((label) => centres[label]!.map((c) => c + 1.4 * generator.normal())))
  const cloud = { rows: pointCount, columns: 20, values }
  const before = tsne(cloud, { iterations: 500 })
  const after = tsne(
    { ...cloud, values: values.map((v) => v + 0.4 * generator.normal()) },
    { iterations: 250, start: before },
  )
  const conv1 = scoresOf('conv1', 16, 5, generator)
  const conv2 = scoresOf('conv2', 32, 11, generator)
  const answers = labels.map((label) => (generator.uniform() < 0.02 ? generator.below(10) : label))
  return {
    title: 'Espalier on MNIST',
    model: 'seed-cnn',
    dataset: 'the 10,000 test images of MNIST',
    optimizer: 'Ranger',
    criterion: 'sum of its absolute weights',
    latencyOf: '32 images',
    stages: [
      {
        name: 'original',
        file: 'original.onnx',
        accuracy: 0.9905,
        loss: 0.0312,
        bytes: 116_412,
        parameters: 28_938,
        macs: 2_838_080,
        latencyMs: 0.214,
        latencyRange: [0.201, 0.262],
      },
      {
        name: 'pruned',
        file: 'pruned.onnx',
        accuracy: 0.9312,
        loss: 0.2211,
        bytes: 28_044,
        parameters: 6_916,
        macs: 426_300,
        latencyMs: 0.083,
        latencyRange: [0.079, 0.097],
      },
      {
        name: 'retrained',
        file: 'retrained.onnx',
        accuracy: 0.9911,
        loss: 0.0289,
        bytes: 28_044,
        parameters: 6_916,
        macs: 426_300,
        latencyMs: 0.082,
        latencyRange: [0.079, 0.094],
      },
    ],
    curve: training(generator),
    marks: [
      { step: 3600, label: 'prune to 50 %' },
      { step: 5400, label: 'prune to 24 %' },
    ],
    curveNotes: { loss: 'Cross-entropy all the way.', accuracy: 'On the first 2,000 test images.' },
    kernels: {
      layer: 'conv1',
      channels: 1,
      height: 5,
      width: 5,
      weights: conv1.scores.map((score) => {
        const [a, b, phase] = [generator.normal(), generator.normal(), 3 * generator.uniform()]
        return Array.from(
          { length: 25 },
          (_, at) =>
            (score / 12) * (Math.sin(a * (at % 5) + b * Math.floor(at / 5) + phase) + 0.3 * generator.normal()),
        )
      }),
      kept: conv1.kept,
      scores: conv1.scores,
    },
    layers: [conv1, conv2],
    network: {
      layers: [
        { name: 'image', kind: 'input', channels: 1, size: [28, 28], frozen: 'the input of the graph' },
        { name: 'conv1', kind: 'Conv 5×5', channels: 16, kept: 5, size: [28, 28], group: 'conv1' },
        { name: 'pool1', kind: 'ReLU, MaxPool', channels: 16, kept: 5, size: [14, 14], group: 'conv1' },
        { name: 'conv2', kind: 'Conv 5×5', channels: 32, kept: 11, size: [14, 14], group: 'conv2' },
        { name: 'pool2', kind: 'ReLU, MaxPool', channels: 32, kept: 11, size: [7, 7], group: 'conv2' },
        { name: 'logits', kind: 'Gemm', channels: 10, note: '1568 → 539 inputs', frozen: 'the output of the graph' },
      ],
    },
    rounds: [
      { label: 'original', bytes: 116_412, accuracy: 0.9905 },
      { label: '75 %', bytes: 84_020, accuracy: 0.9914, prunedAccuracy: 0.989 },
      { label: '50 %', bytes: 52_300, accuracy: 0.9912, prunedAccuracy: 0.961 },
      { label: '24 %', bytes: 28_044, accuracy: 0.9911, prunedAccuracy: 0.9312, chosen: true },
      { label: '10 %', bytes: 11_900, accuracy: 0.984, prunedAccuracy: 0.71 },
    ],
    roundsNote: 'Measured on the validation images.',
    embeddings: {
      method: 't-SNE of our own, perplexity 30, started from the first two principal components',
      of: 'The 1568 values before the last layer',
      classes: digits,
      labels,
      maps: [
        { title: 'Original', x: [...before.x], y: [...before.y], answers },
        {
          title: 'Retrained',
          x: [...after.x],
          y: [...after.y],
          answers: labels.map((label, i) => (i % 90 === 7 ? (label + 3) % 10 : label)),
        },
      ],
      pictures: labels.map((label) => digit(label, generator)),
    },
    confusion: [confused('original', 1, generator), confused('retrained', 0.9, generator)],
    changed: {
      classes: digits,
      images: Array.from({ length: 58 }, (_, k) => {
        const label = generator.below(10)
        const other = (label + 1 + generator.below(9)) % 10
        const [before, after] = k % 7 === 0 ? [other, (other + 1) % 10] : k % 2 ? [other, label] : [label, other]
        return { picture: digit(label, generator), label, before, after, index: k * 171 }
      }),
    },
    series: [
      {
        title: 'Learning rate',
        y: 'rate',
        note: 'Flat, then a cosine to zero; a tenth of it for retraining.',
        series: [
          {
            name: 'rate',
            points: Array.from({ length: 145 }, (_, k) => [
              k * 50,
              (k > 72 ? 1e-4 : 1e-3) * Math.min(1, 0.5 + 0.5 * Math.cos(Math.PI * Math.max(0, ((k % 73) - 52) / 21))),
            ]),
          },
        ],
      },
    ],
    made: {
      command: 'npx espalier demo --seed 0',
      seed: 0,
      date: '2026-11-24',
      seconds: 154,
      latencyNote: 'One image at a time, one thread of ONNX Runtime',
      settings: { optimizer: 'Ranger, rate 1e-3', batch: 50, epochs: 3, criterion: 'L1', 'retraining epochs': 2 },
      versions: { espalier: '0.1.0', 'ONNX Runtime': '1.30.0', Node: '20.20.2' },
    },
  }
}
