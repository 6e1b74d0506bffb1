import { deflateSync } from 'node:zlib'
import { encode } from 'fast-png'
import jpeg from 'jpeg-js'
import { type Random, random } from '../../base/index.ts'
import { decodeImage, decodeMask } from '../../data/sources/decode-image.ts'
import { type Bombs, makeBombs } from '../bombs.ts'
import { joined, mutate, pick, strangeNumber } from '../mutate.ts'
import { readOrRefused } from '../reading.ts'
import { ensure, type Target } from '../target.ts'
import { fileCase } from './files.ts'

const limits = { seconds: 20, megabytes: 320 }

const noise = (length: number, dice: Random) => Uint8Array.from({ length }, () => dice.below(256))

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c
})
const crc32 = (bytes: Uint8Array): number =>
  ~bytes.reduce((c, byte) => crcTable[(c ^ byte) & 255]! ^ (c >>> 8), -1) >>> 0

const word = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

const chunk = (type: string, data: Uint8Array): Uint8Array => {
  const body = joined(new TextEncoder().encode(type), data)
  return joined(word(data.length), body, word(crc32(body)))
}

/** A PNG with right checksums whose header need not fit its data, which may inflate far past it. */
const builtPng = (dice: Random, bombs: Bombs): Uint8Array => {
  const side = () => (dice.below(5) ? 1 + dice.below(12) : strangeNumber(dice))
  const [width, height] = [side(), side()]
  const depth = pick([1, 2, 4, 8, 8, 8, 16, 3, 0], dice)
  const colour = pick([0, 2, 3, 4, 6, 1, 7], dice)
  const channels = [1, 1, 3, 1, 2, 1, 4][colour] ?? 1
  const rows = height * (1 + Math.ceil((width * channels * depth) / 8))
  const length = Number.isFinite(rows) ? Math.min(Math.max(rows, 0), 5000) : 0
  const data = joined(
    noise(length, dice).map((byte, i) => (i % Math.max(1, length / height) < 1 ? byte % 5 : byte)),
    new Uint8Array(dice.below(2)),
  )
  const interlace = dice.below(4) === 0 ? dice.below(3) : 0
  return joined(
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10),
    chunk('IHDR', joined(word(width), word(height), Uint8Array.of(depth, colour, 0, 0, interlace))),
    dice.below(2) || colour === 3 ? chunk('PLTE', noise(3 * dice.below(20), dice)) : new Uint8Array(),
    dice.below(4)
      ? new Uint8Array()
      : chunk(pick(['tRNS', 'iCCP', 'tEXt', 'pHYs', 'gAMA', 'acTL', 'fcTL'], dice), noise(dice.below(30), dice)),
    chunk('IDAT', dice.below(20) ? deflateSync(data) : bombs.zlib(data)),
    dice.below(10) ? chunk('IEND', new Uint8Array()) : new Uint8Array(),
  )
}

const plainPng = (dice: Random): Uint8Array => {
  const [width, height, channels] = [1 + dice.below(9), 1 + dice.below(9), 1 + dice.below(4)]
  return encode({ width, height, channels, depth: 8, data: noise(width * height * channels, dice) })
}

export const png: Target = {
  name: 'png',
  what: 'PNG pictures and masks with damaged bytes, or with right checksums around a header that does not fit the data',
  short: 200,
  limits,
  open: async () => {
    const bombs = await makeBombs()
    return {
      attempt: (dice) => {
        const bytes = dice.uniform() < 0.5 ? mutate(plainPng(dice), dice) : builtPng(dice, bombs)
        const mask = dice.below(3) === 0
        return fileCase('x.png', bytes, () =>
          readOrRefused(
            () => (mask ? { channels: 1, ...decodeMask(bytes, 'x.png') } : decodeImage(bytes, 'x.png')),
            ({ width, height, channels, data }) => {
              ensure(width > 0 && height > 0, `a picture of ${width}×${height}`)
              ensure(
                data.length === width * height * channels,
                `${data.length} bytes of ${width}×${height}×${channels}`,
              )
            },
          ),
        )
      },
    }
  },
}

/** Encoding takes far longer than decoding, so a few pictures are damaged in many ways. */
const soundJpegs = (): Uint8Array[] => {
  const dice = random(1)
  return Array.from({ length: 8 }, (_, i) => {
    const [width, height] = [1 + dice.below(20), 1 + dice.below(20)]
    return Uint8Array.from(jpeg.encode({ width, height, data: noise(width * height * 4, dice) }, 20 + 10 * i).data)
  })
}

export const jpg: Target = {
  name: 'jpeg',
  what: 'JPEG pictures with damaged bytes',
  short: 200,
  limits,
  open: async () => {
    const sound = soundJpegs()
    return {
      attempt: (dice) => {
        const bytes = mutate(pick(sound, dice), dice, pick(sound, dice))
        return fileCase('x.jpg', bytes, () =>
          readOrRefused(
            () => decodeImage(bytes, 'x.jpg'),
            ({ width, height, channels, data }) => {
              ensure(width > 0 && height > 0, `a picture of ${width}×${height}`)
              ensure(
                data.length === width * height * channels,
                `${data.length} bytes of ${width}×${height}×${channels}`,
              )
            },
          ),
        )
      },
    }
  },
}
