import { convertIndexedToRgb, type DecodedPng, decode as decodePng, hasPngSignature } from 'fast-png'
import jpeg from 'jpeg-js'
import { FormatError, messageOf } from '../../base/index.ts'
import { type Image, withChannels } from '../resize.ts'
import { guardedPng } from './png-guard.ts'

/** Pictures past this are refused before they are decoded: a few bytes of PNG can claim the whole memory. */
const mostPixels = 100_000_000

/**
 * Decodes a PNG or JPEG picture, told by its content, to grey or RGB bytes. Transparency is dropped, 16-bit values keep
 * their upper byte, and rotation marks in EXIF are not obeyed, as in torchvision.
 */
export const decodeImage = (bytes: Uint8Array, file: string): Image => {
  try {
    if (hasPngSignature(bytes)) return fromPng(bytes)
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return fromJpeg(bytes)
  } catch (error) {
    throw new FormatError(`the picture cannot be decoded: ${reasonOf(error)}`, {
      place: { file },
      remedy: 'remove it or save it again',
      cause: error,
    })
  }
  throw new FormatError('this is neither a PNG nor a JPEG picture', {
    place: { file },
    remedy: 'convert it, or give it the ending that it should have',
  })
}

/**
 * Decodes a PNG whose pixels are class numbers: grey levels or palette indices up to 8 bits, as they are.
 * @throws FormatError for other pictures
 */
export const decodeMask = (bytes: Uint8Array, file: string): { width: number; height: number; data: Uint8Array } => {
  const fail = (what: string, remedy: string, cause?: unknown) =>
    new FormatError(what, { place: { file }, remedy, cause })
  if (!hasPngSignature(bytes)) throw fail('a mask must be a PNG', 'save it as one: JPEG changes class numbers')
  const png = (() => {
    try {
      return decodePng(guardedPng(bytes, mostPixels), { checkCrc: true })
    } catch (error) {
      throw fail(`the mask cannot be decoded: ${reasonOf(error)}`, 'save it again', error)
    }
  })()
  const { width, height, channels, depth } = png
  if (channels !== 1 || depth > 8)
    throw fail(
      `a mask of ${channels} channels of ${depth} bits holds no class numbers`,
      'save it as a grey or palette PNG of 8 bits, each pixel its class',
    )
  return { width, height, data: depth === 8 ? Uint8Array.from(png.data) : unpacked(png, 1) }
}

/** What a decoder's own slips on damaged data say is of no use to anyone. */
const reasonOf = (error: unknown): string =>
  error instanceof TypeError || error instanceof RangeError || /\bundefined\b/.test(messageOf(error))
    ? 'its data is damaged'
    : messageOf(error)

const fromPng = (bytes: Uint8Array): Image => {
  const png = decodePng(guardedPng(bytes, mostPixels), { checkCrc: true })
  const { width, height } = png
  if (png.palette) return picked(convertIndexedToRgb(png), width, height, png.palette[0]?.length ?? 3)
  if (png.depth < 8) return { width, height, channels: 1, data: unpacked(png, 255 / (2 ** png.depth - 1)) }
  const data = png.depth === 16 ? Uint8Array.from(png.data, (value) => value >> 8) : Uint8Array.from(png.data)
  return picked(data, width, height, png.channels)
}

/** Grey of 1, 2 or 4 bits a pixel, each row padded to whole bytes, times a factor. */
const unpacked = ({ data, depth, width, height }: DecodedPng, factor: number): Uint8Array => {
  const stride = Math.ceil((width * depth) / 8)
  const most = 2 ** depth - 1
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const bit = (i % width) * depth
    const byte = data[Math.floor(i / width) * stride + (bit >> 3)]!
    return ((byte >> (8 - depth - (bit & 7))) & most) * factor
  })
}

/** Leaves the last of two or four channels, transparency, out. */
const picked = (data: Uint8Array, width: number, height: number, channels: number): Image => {
  const kept = channels < 3 ? 1 : 3
  if (channels === kept) return { width, height, channels: kept, data }
  return {
    width,
    height,
    channels: kept,
    data: Uint8Array.from(
      { length: width * height * kept },
      (_, i) => data[Math.floor(i / kept) * channels + (i % kept)]!,
    ),
  }
}

const fromJpeg = (bytes: Uint8Array): Image => {
  const frame = frameOf(bytes)
  checkFrame(frame, bytes.length)
  const { width, height, data } = jpeg.decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxResolutionInMP: mostPixels / 1e6,
    maxMemoryUsageInMB: 2048,
  })
  const image: Image = { width, height, channels: 3, data }
  return frame.components === 1 ? withChannels(image, 1) : image
}

/** The fewest bits in which a JPEG can tell of 8 × 8 pixels. */
const leastBits = 1

const checkFrame = ({ width, height }: ReturnType<typeof frameOf>, length: number): void => {
  if (width * height === 0) throw new Error(`it has no pixels (${width} × ${height})`)
  if (width * height > mostPixels) throw new Error(`it has more than ${mostPixels / 1e6} million pixels`)
  if (Math.ceil(width / 8) * Math.ceil(height / 8) * leastBits > length * 8)
    throw new Error(`${length} bytes cannot hold ${width} × ${height} pixels`)
}

/** A JPEG's size and how many components it has, from its start-of-frame segment; the decoder always gives three. */
const frameOf = (bytes: Uint8Array): { width: number; height: number; components: number } => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 2; at + 9 < bytes.length; ) {
    // Any number of these may stand before a marker.
    if (bytes[at] === 0xff && bytes[at + 1] === 0xff) {
      at++
      continue
    }
    if (bytes[at] !== 0xff) break
    const marker = bytes[at + 1]!
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (isFrame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7), components: bytes[at + 9]! }
    at += 2 + view.getUint16(at + 2)
  }
  throw new Error('it has no header of its size')
}
