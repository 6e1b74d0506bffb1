import { EspalierError, FormatError, sizeOf, UsageError } from '../../base/index.ts'
import { readBytes } from '../../formats/file.ts'
import { dataset } from '../dataset.ts'
import { reshape } from '../normalise.ts'
import { type Fit, type Image, resize, resizeNearest, withChannels } from '../resize.ts'
import type { Dataset, Layout } from '../types.ts'
import type { LoadOptions } from './arrays.ts'
import { decodeImage, decodeMask } from './decode-image.ts'

/** A picture's file and its class, or the file of its mask. */
export type Picture =
  | { readonly path: string; readonly label: number }
  | { readonly path: string; readonly mask: string }

/** How every picture of a dataset comes out. */
export type Form = {
  readonly size: readonly [number, number] | undefined
  readonly multiple: number | undefined
  readonly channels: 1 | 3
  readonly fit: Fit
  readonly crop: number
  readonly order: 'rgb' | 'bgr'
  readonly layout: Layout
}

/** What the options ask of all pictures, completed from the first one. */
export const formOf = async (path: string, options: LoadOptions): Promise<Form> => {
  const { size, multiple, fit = 'cover', crop = 1, order = 'rgb', layout = 'channels-first' } = options
  const first = decodeImage(await readBytes(path), path)
  const asked = typeof size === 'number' ? ([size, size] as const) : size
  const whole = (length: number) => Number.isInteger(length) && length > 0
  if (asked && !asked.every(whole))
    throw new UsageError(`pictures cannot be brought to ${asked.join(' × ')}`, { remedy: 'give whole numbers from 1' })
  if (multiple !== undefined && !whole(multiple))
    throw new UsageError(`sides cannot be multiples of ${multiple}`, { remedy: 'give a whole number from 1' })
  if (!(crop > 0 && crop <= 1))
    throw new UsageError(`a crop of ${crop} makes no sense`, { remedy: 'give a share above 0, up to 1' })
  return {
    size: asked ?? (multiple === undefined ? [first.height, first.width] : undefined),
    ...{ multiple, fit, crop, order, layout, channels: options.channels ?? first.channels },
  }
}

export type Reading = {
  readonly folder: string
  /** The classes' names or how many there are; left out, as many as the masks name. */
  readonly classes: readonly string[] | number | undefined
  readonly options: LoadOptions
}

/** Reads pictures, and masks where they have such, all as `form` says. */
export const readPictures = async (
  name: string,
  files: readonly Picture[],
  form: Form,
  { folder, classes, options }: Reading,
): Promise<Dataset> => {
  const pixels = form.size ? sizeOf(form.size) * files.length : 0
  const values = growing(pixels * form.channels, folder)
  const masks = growing(files.some((file) => 'mask' in file) ? pixels : 0, folder)
  const dims: (readonly number[])[] = []
  const offsets: number[] = []
  for (const file of files) {
    const picture = decodeImage(await readBytes(file.path), file.path)
    checkAlike(picture, file.path, form, options)
    const [height, width] = form.size ?? sidesOf(picture, form.multiple ?? 1)
    dims.push(form.layout === 'channels-first' ? [form.channels, height, width] : [height, width, form.channels])
    const resized = withChannels(resize(picture, height, width, form.fit, form.crop), form.channels)
    offsets.push(values.push(arranged(resized, form)))
    if ('mask' in file) masks.push(await maskOf(file.mask, picture, form, height, width))
  }
  const labels = files.flatMap((file) => ('label' in file ? [file.label] : []))
  const perPixel = labels.length === 0 && form.size
  const made = dataset({
    name,
    inputs: values.done(),
    sampleDims: dims[0]!,
    labels: perPixel ? masks.done() : labels,
    layout: form.layout,
    file: folder,
    ...(!form.size && { varied: { dims, offsets } }),
    ...(perPixel && { labelDims: perPixel }),
    ...(classes !== undefined && { classes }),
    ...(options.ignore !== undefined && { ignore: options.ignore }),
    ...(options.normalise !== undefined && { normalise: options.normalise }),
  })
  return options.sampleDims ? reshape(made, options.sampleDims) : made
}

/** Bytes that come one picture after the other; room for `expected` is made at once. */
const growing = (expected: number, folder: string) => {
  let bytes = memoryFor(expected, folder)
  let length = 0
  return {
    /** @returns where they begin */
    push(more: Uint8Array): number {
      if (length + more.length > bytes.length) {
        const larger = memoryFor(Math.max(2 * bytes.length, length + more.length), folder)
        larger.set(bytes.subarray(0, length))
        bytes = larger
      }
      bytes.set(more, length)
      length += more.length
      return length - more.length
    },
    done: () => bytes.subarray(0, length),
  }
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

/** A picture's own sides, each brought to the nearest multiple. */
const sidesOf = ({ height, width }: Image, multiple: number): readonly [number, number] => {
  const nearest = (side: number) => Math.max(1, Math.round(side / multiple)) * multiple
  return [nearest(height), nearest(width)]
}

/** The pixels in the order that the model wants: its layout, and red or blue first. */
const arranged = ({ data, channels }: Image, { layout, order }: Form): Uint8Array => {
  const pixels = data.length / channels
  const from = (c: number) => (order === 'bgr' ? channels - 1 - c : c)
  if (layout === 'channels-last')
    return order === 'rgb' ? data : data.map((_, i) => data[i - (i % channels) + from(i % channels)]!)
  const out = new Uint8Array(data.length)
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < pixels; i++) out[c * pixels + i] = data[i * channels + from(c)]!
  return out
}

/** The class of each pixel, cut and resized as the picture is. */
const maskOf = async (path: string, picture: Image, { fit, crop }: Form, height: number, width: number) => {
  const mask = decodeMask(await readBytes(path), path)
  if (mask.width !== picture.width || mask.height !== picture.height)
    throw new FormatError(
      `the mask is ${mask.width} × ${mask.height} and its picture ${picture.width} × ${picture.height}`,
      { place: { file: path }, remedy: 'give a mask of the size of its picture' },
    )
  const out = new Uint8Array(height * width)
  resizeNearest(mask, out, { height, width, fit, crop })
  return out
}

/** Pictures are made alike only on request: nothing is squeezed or loses its colour unnoticed. */
const checkAlike = (picture: Image, path: string, form: Form, asked: LoadOptions) => {
  const [height, width] = form.size ?? []
  if (asked.size === undefined && form.size && (picture.height !== height || picture.width !== width))
    throw new FormatError(`it is ${picture.width} × ${picture.height} where others are ${width} × ${height}`, {
      place: { file: path },
      remedy: 'give a size that all pictures are brought to, or let sizes vary (--size)',
    })
  if (asked.channels === undefined && form.channels < picture.channels)
    throw new FormatError('it is in colour where others are grey', {
      place: { file: path },
      remedy: 'say how many channels they should have, 1 or 3 (--channels)',
    })
}
