import { readFileSync } from 'node:fs'
import type { Random } from '../../base/index.ts'
import { readBundle } from '../../formats/tensorflow/bundle.ts'
import { readSavedSlices } from '../../formats/tensorflow/saved-slices.ts'
import { readTable } from '../../formats/tensorflow/table.ts'
import { message, table } from '../../formats/testing/table.ts'
import { fixture } from '../../testing/fixtures.ts'
import { mutate } from '../mutate.ts'
import { checkTensor, readOrRefused } from '../reading.ts'
import type { Target } from '../target.ts'
import { fileCase } from './files.ts'

/** Entries of the first format: a description of the variable w, and one slice with its values. */
const slices: [string, Uint8Array][] = [
  ['', message([1, message([1, message([1, 'w'], [2, message([2, message([1, 2])])], [3, 1])])])],
  ['\0w', message([2, message([1, 'w'], [2, message([1, ''])], [3, message([5, new Uint8Array(8)])])])],
]

/** A table with one entry damaged and every checksum right, so that what lies inside is reached, or damaged itself. */
const damaged = (entries: readonly (readonly [string | Uint8Array, Uint8Array])[], dice: Random): Uint8Array => {
  const options = { compressed: dice.below(2) === 0, perBlock: 1 + dice.below(3) }
  if (dice.below(3) === 0) return mutate(table(entries, options), dice)
  const which = dice.below(entries.length)
  return table(
    entries.map(([key, value], i) => [key, i === which && value.length > 0 ? mutate(value, dice) : value]),
    options,
  )
}

export const tensorflow: Target = {
  name: 'tensorflow',
  what: 'TensorFlow checkpoints of both formats with damaged bytes, or damaged entries under right checksums',
  short: 200,
  limits: { seconds: 20, megabytes: 256 },
  open: async () => {
    const data = readFileSync(fixture('tf-checkpoint/model.ckpt.data-00000-of-00001'))
    const bundle = readTable(readFileSync(fixture('tf-checkpoint/model.ckpt.index'))).map(
      ({ key, value }) => [key, value] as const,
    )
    return {
      attempt: (dice) =>
        dice.below(2)
          ? fileCase('x.index', damaged(bundle, dice), (bytes) =>
              readOrRefused(
                async () => {
                  const { variables, tensor } = readBundle(bytes, 'x.index')
                  for (const name of variables.keys())
                    checkTensor(
                      await tensor(name, async (_, offset, size) => {
                        if (!(offset >= 0 && offset + size <= data.length)) throw new Error('past the end of the file')
                        return data.slice(offset, offset + size)
                      }),
                      name,
                    )
                },
                () => {},
              ),
            )
          : fileCase('x.ckpt', damaged(slices, dice), (bytes) =>
              readOrRefused(
                () => {
                  const { variables, tensor } = readSavedSlices([{ bytes, file: 'x.ckpt' }])
                  for (const name of variables.keys()) checkTensor(tensor(name), name)
                },
                () => {},
              ),
            ),
    }
  },
}
