import { constants, createDeflateRaw, deflateRawSync } from 'node:zlib'
import { joined } from './mutate.ts'

/** MiB that a bomb inflates to; readers must not take as much for it. */
const size = 450

/** Streams of two megabytes that inflate to `prefix` and 450 MiB of zeros behind it, in the forms that files have. */
export type Bombs = {
  zlib(prefix: Uint8Array): Uint8Array
  gzip(prefix: Uint8Array): Uint8Array
  /** An archive with this as its only entry, of which the directory states the size of the prefix. */
  zip(name: string, prefix: Uint8Array): Uint8Array
}

/** Makes the zeros once, piece by piece, so that making them takes no memory that would hide what a reader takes. */
export const makeBombs = async (): Promise<Bombs> => {
  const stream = createDeflateRaw({ level: 1 })
  const pieces: Uint8Array[] = []
  stream.on('data', (piece: Uint8Array) => pieces.push(piece))
  const zeros = new Uint8Array(2 ** 20)
  for (let i = 0; i < size; i++) if (!stream.write(zeros)) await new Promise((drained) => stream.once('drain', drained))
  await new Promise<void>((ended) => stream.once('end', ended).end())
  const tail = joined(...pieces)
  const raw = (prefix: Uint8Array) => joined(deflateRawSync(prefix, { finishFlush: constants.Z_SYNC_FLUSH }), tail)
  return {
    zlib: (prefix) => joined(Uint8Array.of(0x78, 0x9c), raw(prefix), adler(prefix, size * zeros.length)),
    gzip: (prefix) => joined(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3), raw(prefix), new Uint8Array(8)),
    zip: (name, prefix) => archive(new TextEncoder().encode(name), raw(prefix), prefix.length),
  }
}

/** The checksum of zlib over some bytes and the zeros that follow them. */
const adler = (bytes: Uint8Array, zeros: number): Uint8Array => {
  let [a, b] = [1, 0]
  for (const byte of bytes) {
    a = (a + byte) % 65521
    b = (b + a) % 65521
  }
  b = Number((BigInt(b) + BigInt(a) * BigInt(zeros)) % 65521n)
  return Uint8Array.of(b >> 8, b & 255, a >> 8, a & 255)
}

const little = (width: 2 | 4, value: number) => Uint8Array.from({ length: width }, (_, i) => (value / 256 ** i) & 255)

/** A zip archive of one deflated entry, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
const archive = (name: Uint8Array, data: Uint8Array, stated: number): Uint8Array => {
  const fields = joined(
    ...[little(2, 20), little(2, 0), little(2, 8), little(4, 0), little(4, 0)],
    ...[little(4, data.length), little(4, stated), little(2, name.length), little(2, 0)],
  )
  const local = joined(Uint8Array.of(0x50, 0x4b, 3, 4), fields, name, data)
  const directory = joined(Uint8Array.of(0x50, 0x4b, 1, 2), little(2, 20), fields, new Uint8Array(14), name)
  const end = [
    little(4, 0),
    little(2, 1),
    little(2, 1),
    little(4, directory.length),
    little(4, local.length),
    little(2, 0),
  ]
  return joined(local, directory, Uint8Array.of(0x50, 0x4b, 5, 6), ...end)
}
