import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EspalierError, FormatError, messageOf, UsageError } from '../../base/index.ts'
import { readBytes } from '../../formats/file.ts'
import { type Dataset, dataset, type Layout, reshape } from '../dataset.ts'
import { type Fit, type Image, resize, withChannels } from '../resize.ts'
import { type LoadOptions, type Splits, withTest } from './arrays.ts'
import { decodeImage } from './decode-image.ts'

/** How every picture of a dataset comes out. */
type Form = { height: number; width: number; channels: 1 | 3; fit: Fit | undefined; layout: Layout }

const partNames = { train: ['train'], test: ['test'], validation: ['val', 'valid', 'validation'] }

/**
 * Pictures in a folder per class (PNG, JPEG), the classes in alphabetical order. Where the folder holds `train`, and
 * perhaps `test` or `val`, each of those holds the folders of classes. `val` stands in for a missing `test`.
 */
export const loadImages = async (folder: string, options: LoadOptions = {}): Promise<Splits> => {
  const inside = await foldersIn(folder)
  const part = (of: keyof typeof partNames) => partNames[of].find((name) => inside.includes(name))
  const trainFolder = part('train')
  const classes = namesOf(
    await foldersIn(trainFolder === undefined ? folder : join(folder, trainFolder)),
    options,
    folder,
  )

  const trainFiles = await picturesIn(trainFolder === undefined ? folder : join(folder, trainFolder), classes)
  const form = await formOf(trainFiles[0]!.path, options)
  const read = async (of: keyof typeof partNames, files: readonly Picture[]) =>
    asDataset(`images:${folder} (${of})`, folder, files, classes, form, options)
  const train = await read('train', trainFiles)
  const other = async (of: 'test' | 'validation') => {
    const name = trainFolder === undefined ? undefined : part(of)
    return name === undefined ? undefined : read(of, await picturesIn(join(folder, name), classes))
  }
  const test = await other('test')
  const validation = await other('validation')
  if (test) return { train, test, ...(validation ? { validation } : {}) }
  return validation ? { train, test: validation } : withTest(`images:${folder}`, train, options)
}

type Picture = { path: string; label: number }

const namesOf = (folders: readonly string[], { classes }: LoadOptions, folder: string): readonly string[] => {
  if (folders.length === 0)
    throw new EspalierError('there are no folders of classes', {
      place: { file: folder },
      remedy: 'put the pictures of each class into a folder with its name',
    })
  if (typeof classes === 'number' && classes !== folders.length)
    throw new UsageError(`there are ${folders.length} folders of classes, not ${classes}`, {
      place: { file: folder },
      remedy: 'check the folder',
    })
  return typeof classes === 'object' ? classes : folders
}

/** The picture files of the classes' folders. */
const picturesIn = async (folder: string, classes: readonly string[]): Promise<Picture[]> => {
  const pictures: Picture[] = []
  for (const name of await foldersIn(folder)) {
    const label = classes.indexOf(name)
    const path = join(folder, name)
    if (label < 0)
      throw new UsageError(`'${name}' is none of the classes ${classes.join(', ')}`, {
        place: { file: path },
        remedy: 'rename the folder or move it away',
      })
    const files = (await readdir(path)).filter((file) => /^[^.].*\.(png|jpe?g)$/i.test(file)).sort()
    if (files.length === 0)
      throw new FormatError('this class has no pictures', {
        place: { file: path },
        remedy: 'put PNG or JPEG files into it or remove the folder',
      })
    pictures.push(...files.map((file) => ({ path: join(path, file), label })))
  }
  return pictures
}

/** What the options ask of all pictures, completed from the first one. */
const formOf = async (path: string, { size, channels, fit, layout = 'channels-first' }: LoadOptions): Promise<Form> => {
  const first = decodeImage(await readBytes(path), path)
  const [height, width] = typeof size === 'number' ? [size, size] : (size ?? [first.height, first.width])
  if (![height, width].every((length) => Number.isInteger(length) && length > 0))
    throw new UsageError(`pictures cannot be brought to ${height} × ${width}`, { remedy: 'give whole numbers from 1' })
  return { height, width, channels: channels ?? first.channels, fit, layout }
}

const asDataset = async (
  name: string,
  folder: string,
  files: readonly Picture[],
  classes: readonly string[],
  form: Form,
  options: LoadOptions,
): Promise<Dataset> => {
  const { height, width, channels, layout } = form
  const length = height * width * channels
  const inputs = memoryFor(files.length * length, folder)
  for (const [i, { path }] of files.entries()) {
    const picture = decodeImage(await readBytes(path), path)
    checkAlike(picture, path, form, options)
    const { data } = withChannels(resize(picture, height, width, form.fit), channels)
    const row = inputs.subarray(i * length, (i + 1) * length)
    if (layout === 'channels-last') row.set(data)
    else for (let j = 0; j < length; j++) row[(j % channels) * height * width + Math.floor(j / channels)] = data[j]!
  }
  const made = dataset({
    name,
    inputs,
    sampleDims: layout === 'channels-first' ? [channels, height, width] : [height, width, channels],
    labels: files.map(({ label }) => label),
    classes,
    layout,
    file: folder,
    ...(options.normalise === undefined ? {} : { normalise: options.normalise }),
  })
  return options.sampleDims ? reshape(made, options.sampleDims) : made
}

/** Pictures are made alike only on request: nothing is squeezed or loses its colour unnoticed. */
const checkAlike = (picture: Image, path: string, form: Form, asked: LoadOptions) => {
  if (asked.size === undefined && (picture.height !== form.height || picture.width !== form.width))
    throw new FormatError(
      `it is ${picture.width} × ${picture.height} where others are ${form.width} × ${form.height}`,
      {
        place: { file: path },
        remedy: 'give a size that all pictures are brought to',
      },
    )
  if (asked.channels === undefined && form.channels < picture.channels)
    throw new FormatError('it is in colour where others are grey', {
      place: { file: path },
      remedy: 'say how many channels they should have, 1 or 3',
    })
}

const memoryFor = (bytes: number, folder: string) => {
  try {
    return new Uint8Array(bytes)
  } catch (error) {
    throw new EspalierError(`the pictures take ${Math.round(bytes / 2 ** 20)} MiB of memory`, {
      place: { file: folder },
      remedy: 'give a smaller size or fewer pictures',
      cause: error,
    })
  }
}

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
