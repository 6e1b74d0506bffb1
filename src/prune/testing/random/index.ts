import { random } from '../../../base/index.ts'
import type { Model } from '../../../onnx/index.ts'
import { channels } from './channels.ts'
import { functions } from './functions.ts'
import { layers } from './layers.ts'
import { shapes } from './shapes.ts'
import { Sketch, type Step } from './sketch.ts'
import { sums } from './sums.ts'

/** Steps of fixed sizes behind the batch, by name. */
export const steps: Readonly<Record<string, Step>> = { ...layers, ...functions, ...shapes, ...channels, ...sums }

export const stepNames = Object.keys(steps)

/** A network as plain data: what was done, one after the other, and the seed of what each draws. */
export type Recipe = {
  readonly input: readonly number[]
  readonly opset: number
  readonly steps: readonly { readonly name: string; readonly seed: number }[]
}

/** The network of a recipe. */
export const networkOf = ({ input, opset, steps: list }: Recipe): Model => {
  const sketch = new Sketch(['N', ...input], 1, opset)
  for (const { name, seed } of list) {
    sketch.dice = random(seed)
    steps[name]!(sketch)
  }
  return sketch.model()
}
