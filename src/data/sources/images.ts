import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EspalierError, FormatError, messageOf, UsageError } from '../../base/index.ts'
import { type LoadOptions, type Splits, withTest } from './arrays.ts'
import { formOf, type Picture, readPictures } from './pictures.ts'

const partNames = { train: ['train'], test: ['test'], validation: ['val', 'valid', 'validation'] }

/**
 * Pictures in a folder per class (PNG, JPEG), the classes in alphabetical order; or pictures in a folder `images` with a
 * class for each pixel in PNG files of the same names in a folder `masks`. Where the folder holds `train`, and perhaps
 * `test` or `val`, each of those holds such folders. `val` stands in for a missing `test`.
 */
export const loadImages = async (folder: string, options: LoadOptions = {}): Promise<Splits> => {
  const inside = await foldersIn(folder)
  const part = (of: keyof typeof partNames) => partNames[of].find((name) => inside.includes(name))
  const trainFolder = part('train')
  const root = trainFolder === undefined ? folder : join(folder, trainFolder)
  const insideRoot = await foldersIn(root)
  const masked = insideRoot.includes('images') && insideRoot.includes('masks')
  const classes = masked ? undefined : namesOf(insideRoot, options, folder)
  const filesIn = (place: string) => (classes ? picturesIn(place, classes) : maskedIn(place))

  const trainFiles = await filesIn(root)
  const form = await formOf(trainFiles[0]!.path, options)
  if (masked && !form.size)
    throw new UsageError('pictures with masks must be of one size', {
      place: { file: folder },
      remedy: 'give the size that all are brought to (--size)',
    })
  const read = async (of: keyof typeof partNames, files: readonly Picture[], names = classes ?? options.classes) =>
    readPictures(`images:${folder} (${of})`, files, form, { folder, classes: names, options })
  const train = await read('train', trainFiles)
  const other = async (of: 'test' | 'validation') => {
    const name = trainFolder === undefined ? undefined : part(of)
    return name === undefined ? undefined : read(of, await filesIn(join(folder, name)), train.classes)
  }
  const test = await other('test')
  const validation = await other('validation')
  if (test) return { train, test, ...(validation ? { validation } : {}) }
  return validation ? { train, test: validation } : withTest(`images:${folder}`, train, options)
}

const namesOf = (folders: readonly string[], { classes }: LoadOptions, folder: string): readonly string[] => {
  if (folders.length === 0)
    throw new EspalierError('there are no folders of classes', {
      place: { file: folder },
      remedy: 'put the pictures of each class into a folder with its name',
    })
  if (typeof classes === 'number' && classes < folders.length)
    throw new UsageError(`there are ${folders.length} folders of classes, more than ${classes}`, {
      place: { file: folder },
      remedy: 'check the folder',
    })
  return typeof classes === 'object' ? classes : folders
}

/** The picture files of the classes' folders. */
const picturesIn = async (folder: string, classes: readonly string[]): Promise<Picture[]> => {
  const pictures: { path: string; label: number }[] = []
  for (const name of await foldersIn(folder)) {
    const label = classes.indexOf(name)
    const path = join(folder, name)
    if (label < 0)
      throw new UsageError(`'${name}' is none of the classes ${classes.join(', ')}`, {
        place: { file: path },
        remedy: 'rename the folder or move it away',
      })
    const files = await pictureFiles(path)
    if (files.length === 0)
      throw new FormatError('this class has no pictures', {
        place: { file: path },
        remedy: 'put PNG or JPEG files into it or remove the folder',
      })
    pictures.push(...files.map((file) => ({ path: join(path, file), label })))
  }
  return pictures
}

/** The picture files of the folder `images`, each with its mask. */
const maskedIn = async (folder: string): Promise<Picture[]> => {
  const files = await pictureFiles(join(folder, 'images'))
  if (files.length === 0)
    throw new FormatError('there are no pictures', {
      place: { file: join(folder, 'images') },
      remedy: 'put PNG or JPEG files into it',
    })
  const masks = new Set(await pictureFiles(join(folder, 'masks')))
  return files.map((file) => {
    const mask = file.replace(/\.[^.]+$/, '.png')
    if (!masks.has(mask))
      throw new FormatError(`the picture has no mask '${mask}'`, {
        place: { file: join(folder, 'images', file) },
        remedy: `put it into ${join(folder, 'masks')}`,
      })
    return { path: join(folder, 'images', file), mask: join(folder, 'masks', mask) }
  })
}

const pictureFiles = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((file) => /^[^.].*\.(png|jpe?g)$/i.test(file)).sort()

const foldersIn = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new EspalierError(`cannot read the folder: ${messageOf(error)}`, {
      place: { file: folder },
      remedy: 'check the path',
      cause: error,
    })
  })
  return entries
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .sort()
}
