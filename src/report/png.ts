import { zlibSync } from 'fflate'

/** A picture of one grey byte per pixel, row by row: 0 black, 255 white. */
export type GreyPixels = { readonly width: number; readonly height: number; readonly pixels: ArrayLike<number> }

/**
 * An 8-bit greyscale PNG (W3C PNG specification, third edition): signature, header, the rows each preceded by filter
 * type 0 and compressed with zlib, end. No metadata.
 */
export const greyPng = ({ width, height, pixels }: GreyPixels): Uint8Array => {
  const rows = new Uint8Array(height * (width + 1))
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = pixels[y * width + x]!
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header[8] = 8 // bits per sample; colour type 0 (grey), compression, filter and interlace methods stay 0
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk('IHDR', header),
    chunk('IDAT', zlibSync(rows, { level: 6 })),
    chunk('IEND', new Uint8Array(0)),
  ]
  const file = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    file.set(part, at)
    at += part.length
  }
  return file
}

/** The picture as a `data:` URI, to stand in a page by itself. */
export const greyDataUri = (picture: GreyPixels): string => {
  let binary = ''
  for (const byte of greyPng(picture)) binary += String.fromCharCode(byte)
  return `data:image/png;base64,${btoa(binary)}`
}

/** Pictures of one size side by side in rows of `columns`, to be shown as parts of one image. */
export const spriteSheet = (pictures: readonly GreyPixels[], columns: number): GreyPixels => {
  const { width, height } = pictures[0] ?? { width: 1, height: 1 }
  const across = width * columns
  const pixels = new Uint8Array(across * height * Math.max(1, Math.ceil(pictures.length / columns)))
  pictures.forEach((picture, i) => {
    const origin = Math.floor(i / columns) * height * across + (i % columns) * width
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) pixels[origin + y * across + x] = picture.pixels[y * width + x]!
  })
  return { width: across, height: pixels.length / across, pixels }
}

/** Length, type, data, and the checksum of type and data. */
const chunk = (type: string, data: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(12 + data.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, data.length)
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i)
  bytes.set(data, 8)
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)))
  return bytes
}

/** CRC-32 of ISO 3309, bit by bit: pictures here are small. */
const crc32 = (bytes: Uint8Array): number => {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}
