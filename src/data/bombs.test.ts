import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { deflateSync, gzipSync } from 'node:zlib'
import { encode as encodePng } from 'fast-png'
import { zipSync } from 'fflate'
import jpeg from 'jpeg-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { uint8 } from '../base/index.ts'
import { encodeNpy } from '../formats/index.ts'

/** Files that promise, or become, many times what they hold: refused in memory that follows from what is there. */

let folder: string
/** What the bombs become, and what reading one may take. */
const [large, allowed] = [120e6, 80e6]

const chunk = (type: string, data: Uint8Array): Buffer => {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(data.length)
  head.write(type, 4, 'latin1')
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32(Buffer.concat([head.subarray(4), data])))
  return Buffer.concat([head, data, crc])
}

const crc32 = (bytes: Uint8Array): number => {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}

const png = (width: number, height: number, data: Uint8Array, ...others: Buffer[]): Uint8Array => {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width)
  header.writeUInt32BE(height, 4)
  header.set([8, 0, 0, 0, 0], 8)
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    ...others,
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** A JPEG of one grey tone whose header is made to promise another size. */
const jpegOf = (width: number, height: number): Uint8Array => {
  const { data } = jpeg.encode({ width: 16, height: 16, data: Buffer.alloc(16 * 16 * 4, 128) }, 50)
  const at = data.indexOf(Buffer.of(0xff, 0xc0)) + 5
  data.writeUInt16BE(height, at)
  data.writeUInt16BE(width, at + 2)
  return data
}

/** The same data under many names: an archive of files that overlap. */
const overlapping = (npy: Uint8Array): Uint8Array => {
  const archive = Buffer.from(zipSync({ 'x.npy': npy }, { level: 0 }))
  const begin = archive.readUInt32LE(archive.length - 6)
  const entry = archive.subarray(begin, archive.length - 22)
  const copies = Array.from({ length: 1000 }, (_, i) => {
    const copy = Buffer.from(entry)
    copy.write(String.fromCharCode(97 + (i % 26)), 46)
    return copy
  })
  const end = Buffer.from(archive.subarray(archive.length - 22))
  end.writeUInt16LE(1000, 8)
  end.writeUInt16LE(1000, 10)
  end.writeUInt32LE(1000 * entry.length, 12)
  return Buffer.concat([archive.subarray(0, begin), ...copies, end])
}

/** An archive of one array; the directory tells `size` of it. */
const npzOf = (contents: Uint8Array, size: number): Uint8Array => {
  const archive = Buffer.from(zipSync({ 'x.npy': contents }))
  archive.writeUInt32LE(size, archive.readUInt32LE(archive.length - 6) + 24)
  return archive
}

const npyPromising = (shape: string): Uint8Array => {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }\n`
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.of(header.length % 256, header.length >> 8),
    Buffer.from(header),
  ])
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-bombs-'))
  const zeros = new Uint8Array(large)
  const npy = encodeNpy(uint8([4], [1, 2, 3, 4]))
  const stream = Buffer.concat([npy, zeros])
  const idx = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 4)
  const zlib = deflateSync(zeros)
  const safetensors = JSON.stringify({ x: { dtype: 'F32', shape: [2 ** 40], data_offsets: [0, 2 ** 42] } })
  const profile = chunk('iCCP', Buffer.concat([Buffer.from('p\0\0', 'latin1'), zlib]))
  const files: { [name: string]: Uint8Array | string } = {
    'past.png': png(8, 8, zlib),
    'profile.png': png(8, 8, deflateSync(new Uint8Array(72)), profile),
    'promise.png': png(9000, 9000, deflateSync(new Uint8Array(72))),
    'short.png': png(8, 8, deflateSync(new Uint8Array(70))),
    'empty.png': png(0, 0, deflateSync(new Uint8Array(0))),
    'good.png': encodePng({ width: 8, height: 8, data: new Uint8Array(64), channels: 1 }),
    'wide.jpg': jpegOf(9999, 9999),
    'empty.jpg': jpegOf(0, 0),
    'good.jpg': jpegOf(16, 16),
    'past.npz': npzOf(stream, npy.length),
    'agreed.npz': npzOf(stream, stream.length),
    'overlap.npz': overlapping(npy),
    'promise.npy': npyPromising('1099511627776,'),
    'overflow.npy': npyPromising('9007199254740993, 9007199254740993'),
    'axes.npy': npyPromising('1, '.repeat(70)),
    'past.idx.gz': gzipSync(Buffer.concat([idx, zeros])),
    'promise.idx.gz': gzipSync(Uint8Array.of(0, 0, 8, 2, 1, 0, 0, 0, 0, 1, 0, 0)),
    'promise.safetensors': Buffer.concat([
      Buffer.of(safetensors.length, 0, 0, 0, 0, 0, 0, 0),
      Buffer.from(safetensors),
    ]),
    'line.csv': '1,'.repeat(2 ** 21),
    'sparse.csv': '1,2\n',
  }
  for (const [name, contents] of Object.entries(files)) await writeFile(join(folder, name), contents)
  await truncate(join(folder, 'sparse.csv'), 2 ** 43)
  await symlink('/dev/zero', join(folder, 'device.npy'))
}, 120_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

const dist = join(import.meta.dirname, '../../dist')

/** Reads a file in a process of its own: what came of it, and by how much the process's memory grew at most. */
const reading = async (name: string): Promise<{ outcome: string; grew: number }> => {
  const script = `
    const { decodeImage, loadDataset } = await import('${dist}/data/node.js')
    const { readBytes, readIdx, readNpy, readNpz, readSafetensors } = await import('${dist}/formats/node.js')
    const file = process.argv[1]
    const readers = { png: async () => decodeImage(await readBytes(file), file), npy: () => readNpy(file), npz: () => readNpz(file),
      gz: () => readIdx(file), safetensors: () => readSafetensors(file), csv: () => loadDataset('csv:' + file) }
    readers.jpg = readers.png
    const before = process.resourceUsage().maxRSS
    const outcome = await readers[file.split('.').at(-1)]().then(() => 'read', (error) => error.message)
    console.log(JSON.stringify({ outcome, grew: (process.resourceUsage().maxRSS - before) * 1024 }))`
  const args = ['--input-type=module', '-e', script, join(folder, name)]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout)
}

test.each([
  ['past.png', /its data becomes more than the 72 bytes it should/],
  ['profile.png', /^read$/],
  ['promise.png', /compressed bytes cannot hold 81009000/],
  ['short.png', /its data becomes 70 bytes where 72 are expected/],
  ['empty.png', /it has no pixels \(0 × 0\)/],
  ['good.png', /^read$/],
  ['wide.jpg', /bytes cannot hold 9999 × 9999 pixels/],
  ['empty.jpg', /it has no pixels \(0 × 0\)/],
  ['good.jpg', /^read$/],
  ['past.npz', /its data becomes more than the 132 bytes it should/],
  ['agreed.npz', /'x\.npy' claims an impossible size: 120000132 bytes where its array takes 132/],
  ['overlap.npz', /its files overlap/],
  ['promise.npy', /do not agree/],
  ['overflow.npy', /do not agree/],
  ['axes.npy', /70 axes are more than NumPy has/],
  ['past.idx.gz', /its data becomes more than the 12 bytes it should/],
  ['promise.idx.gz', /compressed bytes cannot hold 1099511627788/],
  ['promise.safetensors', /the tensors take 4398046511104 bytes and the file has 0/],
  ['line.csv', /more than 1048576 columns/],
  ['sparse.csv', /more than this machine's memory/],
  ['device.npy', /it is no ordinary file/],
])('%s takes no more memory than it should', async (name, expected) => {
  const { outcome, grew } = await reading(name)
  expect(outcome).toMatch(expected)
  expect(grew).toBeLessThan(allowed)
})
