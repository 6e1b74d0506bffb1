/**
 * Writes ViT-L/16 (304 million parameters, 1.2 GB as external data) with made-up weights, for timing what pruning costs.
 *
 *     npm run build && node scripts/networks/large.mjs FOLDER
 *
 * Dosovitskiy et al., "An image is worth 16x16 words", 2021, table 1: 24 blocks of width 1024 with 16 heads on 224×224 images.
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  buildModel,
  layerNorm,
  linear,
  meanOfTokens,
  patches,
  positions,
  transformerBlock,
} from '../../dist/nn/index.js'
import { writeModel } from '../../dist/onnx/file.js'

/** Drawing 304 million normal numbers would take longer than what is timed. */
const cheap = (dims) => {
  const values = new Float32Array(dims.reduce((n, d) => n * d, 1))
  let state = values.length
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    values[i] = state / 2 ** 36
  }
  return values
}

const [folder = '.'] = process.argv.slice(2)
const model = buildModel('vit-l-16', { dims: [3, 224, 224] }, { seed: 0, init: cheap }, (net, input) => {
  let x = positions(net, 'positions', patches(net, 'patches', input, { to: 1024, size: 16 }))
  for (let block = 0; block < 24; block++) x = transformerBlock(net, `blocks.${block}`, x, { heads: 16 })
  return linear(net, 'fc', meanOfTokens(net, layerNorm(net, 'norm', x), 'features'), { to: 1000, output: 'logits' })
})
await mkdir(folder, { recursive: true })
await writeModel(join(folder, 'vit-l-16.onnx'), model, { externalData: {} })
