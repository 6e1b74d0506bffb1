import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../../base/index.ts'
import { Bench, smallFiles } from '../commands.ts'
import { damagedModel, soundModels } from '../models.ts'
import { mutate, mutateText, pick } from '../mutate.ts'
import type { Target } from '../target.ts'

/** Command lines that read a model. */
const ofModels: readonly (readonly string[])[] = [
  ['inspect', 'damaged.onnx'],
  ['inspect', 'damaged.onnx', '--groups'],
  ['analyze', 'damaged.onnx'],
  ['prune', 'damaged.onnx', '--ratio', '0.5', '--out', 'out.onnx'],
  ['prune', 'damaged.onnx', '--ratio', '0.3', '--out', 'out.onnx', '--absorb', 'exact', '--json'],
  ['compare', 'damaged.onnx', '--data', 'npz:dense.npz'],
  ['train', 'damaged.onnx', '--data', 'npz:dense.npz', '--out', 'out', '--epochs', '0.5'],
]

const runsModels = new Set(['inspect', 'analyze', 'prune', 'compare', 'train'])

/** Command lines that read samples. */
const ofData: readonly (readonly string[])[] = [
  ['train', 'dense.onnx', '--data', 'npz:damaged.npz', '--out', 'out', '--epochs', '0.5'],
  ['train', 'dense.onnx', '--data', 'csv:damaged.csv', '--out', 'out', '--epochs', '0.5'],
  ['train', 'dense.onnx', '--data', 'safetensors:damaged.safetensors', '--out', 'out', '--epochs', '0.5'],
  ['compare', 'dense.onnx', '--data', 'csv:damaged.csv'],
  ['inspect', 'damaged.npz'],
  ['inspect', 'damaged.safetensors', '--json'],
  ['verify', 'dense.onnx', 'dense.onnx', '--plan', 'damaged.json'],
]

export const damaged: Target = {
  name: 'damaged',
  what: 'commands on damaged models, tables, arrays and plans',
  short: 14,
  limits: { seconds: 90, megabytes: 1024 },
  open: async (folder) => {
    const files = smallFiles()
    const bench = new Bench(folder, files)
    const sound = [...soundModels(), ...['dense.onnx', 'conv.onnx'].map((name) => files.get(name)!)]
    await bench.run(['prune', 'dense.onnx', '--ratio', '0.5', '--out', 'half.onnx', '--plan', 'plan.json'])
    const plan = readFileSync(join(bench.folder, 'plan.json'))

    const damagedFile = (name: string, dice: Random): Uint8Array => {
      if (name === 'damaged.onnx') return damagedModel(sound, dice)
      const source = name === 'damaged.json' ? plan : files.get(name.replace('damaged', 'dense'))!
      const isText = name === 'damaged.csv' || name === 'damaged.json'
      if (isText && dice.below(3)) return new TextEncoder().encode(mutateText(new TextDecoder().decode(source), dice))
      return mutate(source, dice)
    }
    return {
      attempt: (dice) => {
        const line = pick(dice.below(2) ? ofModels : ofData, dice)
        const name = line.map((word) => word.replace(/^\w+:/, '')).find((word) => word.startsWith('damaged'))!
        const bytes = damagedFile(name, dice)
        return {
          files: { [name]: bytes, 'line.json': JSON.stringify(line) },
          // These run models, which may not end: the program itself sets limits.
          run: () =>
            bench.run(line, { files: { [name]: bytes }, apart: runsModels.has(line[0]!) && name === 'damaged.onnx' }),
        }
      },
    }
  },
}
