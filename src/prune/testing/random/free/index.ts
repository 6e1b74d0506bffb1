import { random } from '../../../../base/index.ts'
import type { Dimension, Model } from '../../../../onnx/index.ts'
import type { Form } from '../../sizes/net.ts'
import type { Sizes } from '../../sizes/types.ts'
import { steps as fixedSteps } from '../index.ts'
import type { Sketch } from '../sketch.ts'
import { freeControl } from './control.ts'
import { freeImages } from './images.ts'
import { freeLayers } from './layers.ts'
import { freeMixed } from './mixed.ts'
import { type FreeInput, FreeSketch } from './sketch.ts'
import { freeTokens } from './tokens.ts'

const freeSteps = { ...freeLayers, ...freeImages, ...freeTokens, ...freeControl, ...freeMixed }

/** Every step; those of fixed sizes are written for opset 17 and later. */
const steps: Readonly<Record<string, (s: FreeSketch) => void>> = {
  ...Object.fromEntries(Object.entries(fixedSteps).map(([name, step]) => [`fixed ${name}`, (s: Sketch) => step(s)])),
  ...freeSteps,
}

export const freeStepNames: readonly string[] = Object.keys(freeSteps)
export const fixedStepNames: readonly string[] = Object.keys(fixedSteps).map((name) => `fixed ${name}`)

/** A network with free sizes as plain data. */
export type FreeRecipe = FreeInput & {
  readonly opset: number
  readonly form: Form
  readonly steps: readonly { readonly name: string; readonly seed: number }[]
}

/** The network of a recipe; it runs at all its sizes. */
export const freeNetworkOf = ({ opset, form, steps: list, ...input }: FreeRecipe): Model => {
  const sketch = new FreeSketch(input, opset, form)
  for (const { name, seed } of list) {
    sketch.dice = random(seed)
    steps[name]!(sketch)
  }
  return sketch.model()
}

const kinds: readonly (readonly Dimension[])[] = [
  ['N', 3, 'H', 'W'],
  ['N', 4, 'H', 'W'],
  ['N', 3, 'H', 24],
  [2, 3, 'H', 'W'],
  ['N', 8, 'S', 'S'],
  ['N', 'T', 6],
  ['N', 'T', 8],
]

/** A random recipe of up to `most` steps behind a first layer. */
export const freeRecipe = (seed: number, most = 8): FreeRecipe => {
  const dice = random(seed)
  const pick = <T>(items: readonly T[]): T => items[dice.below(items.length)]!
  const dims = pick(kinds)
  const side = () =>
    dice.below(4) === 0 ? 1 + dice.below(8) : dice.below(6) === 0 ? 64 + dice.below(20) : 3 + dice.below(38)
  const length = () => (dice.below(4) === 0 ? 1 : 1 + dice.below(40))
  const drawn = () => ({ N: pick([1, 2, 3, 5, 9]), H: side(), W: side(), S: side(), T: length() })
  // The first is what models are looked at with where nothing else is asked for.
  const usual = { N: 1, H: 64, W: 64, S: 64, T: 16 }
  const draws: readonly Sizes[] = [usual, drawn(), drawn(), { ...drawn(), H: 17, W: 17 }, drawn()]
  const opset = pick([11, 12, 13, 15, 17, 17, 17, 18, 21])
  const names = opset >= 17 ? [...freeStepNames, ...freeStepNames, ...fixedStepNames] : freeStepNames
  const first = dims.length === 4 ? 'conv' : 'dense'
  const list = Array.from({ length: 1 + dice.below(most) }, () => pick(names))
  const all = [first, ...list].map((name) => ({ name, seed: dice.below(10000) }))
  return { dims, draws, opset, form: pick(['gather', 'slice', 'range']), steps: all }
}
