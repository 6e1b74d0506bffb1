import type { Target } from '../target.ts'
import { idx, numpy, safetensors } from './arrays.ts'
import { csv } from './csv.ts'
import { damaged } from './damaged.ts'
import { flags } from './flags.ts'
import { absorbing, graphs } from './graphs.ts'
import { kill } from './kill.ts'
import { onnx } from './onnx.ts'
import { jpg, png } from './pictures.ts'
import { tensorflow } from './tensorflow.ts'

/** Every target, in the order in which they take turns. A new one is added here. */
export const targets: readonly Target[] = [
  onnx,
  safetensors,
  numpy,
  idx,
  png,
  jpg,
  csv,
  tensorflow,
  damaged,
  flags,
  graphs,
  absorbing,
  kill,
]
