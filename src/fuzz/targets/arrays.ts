import { gzipSync } from 'node:zlib'
import { zipSync } from 'fflate'
import { bool, float32, int64, type Random, type Tensor, uint8 } from '../../base/index.ts'
import { readIdx } from '../../formats/node.ts'
import { decodeNpy, decodeNpz, encodeNpy, encodeNpz } from '../../formats/numpy.ts'
import { decodeSafetensors, encodeSafetensors } from '../../formats/safetensors.ts'
import { type Bombs, makeBombs } from '../bombs.ts'
import { joined, mutate, mutateText, pick, strangeNumber } from '../mutate.ts'
import { checkAgain, checkTensor, readOrRefused } from '../reading.ts'
import type { Target } from '../target.ts'
import { fileCase } from './files.ts'

const limits = { seconds: 20, megabytes: 256 }

const tensorOf = (dice: Random): Tensor => {
  const dims = Array.from({ length: dice.below(4) }, () => dice.below(5))
  const size = dims.reduce((a, b) => a * b, 1)
  const values = Array.from({ length: size }, () => dice.below(100))
  return pick([float32, int64, uint8], dice)(dims, values)
}

const tensorsOf = (dice: Random): Map<string, Tensor> =>
  new Map<string, Tensor>([
    ...Array.from({ length: 1 + dice.below(4) }, (_, i): [string, Tensor] => [`t${i}`, tensorOf(dice)]),
    ['flag', bool([3], [true, false, true])],
  ])

const checkTensors = (tensors: ReadonlyMap<string, Tensor>): void => {
  for (const [name, tensor] of tensors) checkTensor(tensor, name)
}

/** A safetensors file whose header is damaged as text, or any of whose bytes are. */
const damagedSafetensors = (dice: Random): Uint8Array => {
  const whole = encodeSafetensors(tensorsOf(dice), { format: 'pt' })
  if (dice.uniform() < 0.5) return mutate(whole, dice)
  const length = Number(new DataView(whole.buffer, whole.byteOffset).getBigUint64(0, true))
  const header = new TextEncoder().encode(mutateText(new TextDecoder().decode(whole.subarray(8, 8 + length)), dice))
  const size = new Uint8Array(new BigUint64Array([BigInt(header.length)]).buffer)
  return joined(size, header, whole.subarray(8 + length))
}

export const safetensors: Target = {
  name: 'safetensors',
  what: 'safetensors files with damaged bytes or a damaged header',
  short: 300,
  limits,
  open: async () => ({
    attempt: (dice) =>
      fileCase('x.safetensors', damagedSafetensors(dice), (bytes) =>
        readOrRefused(
          () => decodeSafetensors(bytes, { file: 'x.safetensors' }),
          ({ tensors, metadata }) => {
            checkTensors(tensors)
            checkAgain(decodeSafetensors(encodeSafetensors(tensors, metadata)), { tensors, metadata })
          },
        ),
      ),
  }),
}

/** An npy file whose header is damaged as text, or any of whose bytes are. */
const damagedNpy = (dice: Random): Uint8Array => {
  const whole = encodeNpy(tensorOf(dice))
  if (dice.uniform() < 0.5) return mutate(whole, dice)
  const length = new DataView(whole.buffer, whole.byteOffset).getUint16(8, true)
  const header = new TextEncoder().encode(
    mutateText(new TextDecoder('latin1').decode(whole.subarray(10, 10 + length)), dice),
  )
  const size = Uint8Array.of(header.length & 255, (header.length >> 8) & 255)
  return joined(whole.subarray(0, 8), size, header, whole.subarray(10 + length))
}

/** An archive around damaged arrays, one damaged itself, or one whose entry goes on far past its shape. */
const damagedNpz = (dice: Random, bombs: Bombs): Uint8Array => {
  const way = dice.below(3)
  if (way === 0) return mutate(encodeNpz(tensorsOf(dice), { compress: dice.uniform() < 0.5 }), dice)
  if (way === 1) return zipSync({ 'a.npy': encodeNpy(tensorOf(dice)), 'b.npy': damagedNpy(dice) }, { level: 1 })
  if (dice.below(8) === 0) return bombs.zip('a.npy', encodeNpy(tensorOf(dice)))
  const long = joined(encodeNpy(tensorOf(dice)), new Uint8Array(dice.below(1000)))
  return zipSync({ 'a.npy': long }, { level: 1 })
}

export const numpy: Target = {
  name: 'npz',
  what: 'npy and npz files with damaged bytes, headers or archives, entries that inflate past their shape among them',
  short: 200,
  limits,
  open: async () => {
    const bombs = await makeBombs()
    return {
      attempt: (dice) =>
        dice.uniform() < 0.4
          ? fileCase('x.npy', damagedNpy(dice), (bytes) =>
              readOrRefused(
                () => decodeNpy(bytes, { file: 'x.npy' }),
                (tensor) => checkTensor(tensor),
              ),
            )
          : fileCase('x.npz', damagedNpz(dice, bombs), (bytes) =>
              readOrRefused(
                () => decodeNpz(bytes, { file: 'x.npz' }),
                (tensors) => {
                  checkTensors(tensors)
                  if (![...tensors.values()].some(({ type }) => type === 'string'))
                    checkAgain(decodeNpz(encodeNpz(tensors)), tensors)
                },
              ),
            ),
    }
  },
}

const idxTypes = [0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e, 0x00, 0xff]

/** An IDX file whose header fits its data or nearly does, gzipped or not, and damaged or not. */
const damagedIdx = (dice: Random, bombs: Bombs): Uint8Array => {
  const dims = Array.from({ length: dice.below(5) }, () => (dice.below(4) ? dice.below(5) : strangeNumber(dice)))
  const head = new DataView(new ArrayBuffer(4 + 4 * dims.length))
  head.setUint8(2, pick(idxTypes, dice))
  head.setUint8(3, dice.below(10) ? dims.length : dice.below(256))
  for (const [i, dim] of dims.entries()) head.setUint32(4 + 4 * i, dim)
  const size = Math.min(dims.reduce((a, b) => a * b, pick([1, 1, 1, 2, 4, 8], dice)) || 0, 10_000)
  const whole = joined(new Uint8Array(head.buffer), new Uint8Array(Math.max(0, size) + dice.below(2)))
  if (dice.below(20) === 0) return bombs.gzip(whole)
  const packed = dice.below(4) === 0 ? gzipSync(whole) : whole
  return dice.below(2) ? packed : mutate(packed, dice)
}

export const idx: Target = {
  name: 'idx',
  what: 'IDX files, gzipped ones among them, whose header does not fit the data or whose bytes are damaged',
  short: 150,
  limits,
  open: async (folder) => {
    const bombs = await makeBombs()
    return {
      attempt: (dice) =>
        fileCase(
          'x-idx3-ubyte',
          damagedIdx(dice, bombs),
          (_, path) =>
            readOrRefused(
              () => readIdx(path),
              (tensor) => checkTensor(tensor),
            ),
          folder,
        ),
    }
  },
}
