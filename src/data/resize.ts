/** A picture in memory: rows of pixels, each of `channels` bytes (grey, or red, green and blue). */
export type Image = {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3
  readonly data: Uint8Array
}

/**
 * How a picture is brought to a size: 'cover' keeps its proportions and cuts what stands over, equally on both sides;
 * 'stretch' keeps everything and gives up the proportions.
 */
export type Fit = 'cover' | 'stretch'

/** The part of a picture that becomes the new one: its upper left corner and its sides, in old pixels. */
const windowOf = (image: { height: number; width: number }, height: number, width: number, fit: Fit, crop: number) => {
  const ratio = Math.max(height / image.height, width / image.width)
  const whole =
    fit === 'stretch'
      ? { height: image.height, width: image.width }
      : { height: Math.min(image.height, height / ratio), width: Math.min(image.width, width / ratio) }
  const window = { height: whole.height * crop, width: whole.width * crop }
  return { ...window, top: (image.height - window.height) / 2, left: (image.width - window.width) / 2 }
}

/**
 * Resizes by linear interpolation. When it shrinks, the triangle widens with the ratio so that every pixel counts, as
 * Pillow and torchvision do; plain interpolation would skip pixels and alias. `crop` is the share of each side that is kept
 * around the centre: 0.875 and 224 pixels are what torchvision calls Resize(256) and CenterCrop(224).
 */
export const resize = (image: Image, height: number, width: number, fit: Fit = 'cover', crop = 1): Image => {
  if (image.height === height && image.width === width && crop === 1) return image
  const window = windowOf(image, height, width, fit, crop)
  const rows = weights(image.height, window.top, window.height, height)
  const columns = weights(image.width, window.left, window.width, width)
  const { channels } = image

  // Along the rows first, then down the columns; in double, rounded once.
  const narrow = new Float64Array(image.height * width * channels)
  for (let y = 0; y < image.height; y++)
    for (let x = 0; x < width; x++) {
      const { first, values } = columns[x]!
      for (let c = 0; c < channels; c++) {
        let sum = 0
        for (let k = 0; k < values.length; k++)
          sum += values[k]! * image.data[(y * image.width + first + k) * channels + c]!
        narrow[(y * width + x) * channels + c] = sum
      }
    }
  const data = new Uint8Array(height * width * channels)
  const stride = width * channels
  for (let y = 0; y < height; y++) {
    const { first, values } = rows[y]!
    for (let i = 0; i < stride; i++) {
      let sum = 0
      for (let k = 0; k < values.length; k++) sum += values[k]! * narrow[(first + k) * stride + i]!
      data[y * stride + i] = Math.min(255, Math.max(0, Math.floor(sum + 0.5)))
    }
  }
  return { width, height, channels, data }
}

/** The same for class numbers: each new pixel takes the old one at its centre. */
export const resizeNearest = <T extends Uint8Array | Int32Array>(
  image: { readonly height: number; readonly width: number; readonly data: T },
  out: T,
  { height, width, fit = 'cover', crop = 1 }: { height: number; width: number; fit?: Fit; crop?: number },
): void => {
  const window = windowOf(image, height, width, fit, crop)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const row = Math.min(image.height - 1, Math.floor(window.top + ((y + 0.5) * window.height) / height))
      const column = Math.min(image.width - 1, Math.floor(window.left + ((x + 0.5) * window.width) / width))
      out[y * width + x] = image.data[row * image.width + column]!
    }
}

/** For each of `count` new pixels over [start, start + length) of an axis of `size`: which old ones count, how much. */
const weights = (size: number, start: number, length: number, count: number) => {
  const scale = length / count
  const reach = Math.max(1, scale)
  return Array.from({ length: count }, (_, i) => {
    const centre = start + (i + 0.5) * scale
    const first = Math.max(0, Math.floor(centre - reach + 0.5))
    const end = Math.min(size, Math.floor(centre + reach + 0.5))
    const raw = Array.from({ length: end - first }, (_, k) =>
      Math.max(0, 1 - Math.abs(first + k + 0.5 - centre) / reach),
    )
    const total = raw.reduce((sum, value) => sum + value, 0)
    return { first, values: raw.map((value) => value / total) }
  })
}

/** The picture with this many channels: grey is repeated, colour becomes its luma (ITU-R BT.601). */
export const withChannels = (image: Image, channels: 1 | 3): Image => {
  if (image.channels === channels) return image
  const data = new Uint8Array(image.width * image.height * channels)
  for (let pixel = 0; pixel < image.width * image.height; pixel++) {
    const from = image.data.subarray(pixel * image.channels, (pixel + 1) * image.channels)
    if (channels === 3) data.fill(from[0]!, pixel * 3, pixel * 3 + 3)
    else data[pixel] = Math.round(0.299 * from[0]! + 0.587 * from[1]! + 0.114 * from[2]!)
  }
  return { ...image, channels, data }
}
