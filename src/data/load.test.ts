import { cp, mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from 'fast-png'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { float32, int64, numbersOf, type Tensor, UsageError, uint8 } from '../base/index.ts'
import { writeNpz, writeSafetensors } from '../formats/file.ts'
import { packaged } from '../testing/packages.ts'
import { batchOf } from './batches.ts'
import { loadDataset } from './load.ts'
import { parseTable } from './sources/csv.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'data-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('MNIST: all 70 000 images, kept as bytes', async () => {
  const { train, test } = await loadDataset('mnist')
  expect([train.size, test.size, train.classes.length, train.sampleDims]).toEqual([60_000, 10_000, 10, [1, 28, 28]])
  expect([...train.labels.slice(0, 6)]).toEqual([5, 0, 4, 1, 9, 2])
  expect([...test.labels.slice(0, 6)]).toEqual([7, 2, 1, 0, 4, 1])
  expect(train.inputs).toBeInstanceOf(Uint8Array)
  // The mean and deviation that everyone's examples normalise MNIST with.
  const values = new Float32Array(batchOf(train, [...Array(5000).keys()]).inputs.bytes.buffer)
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  expect(mean).toBeCloseTo(0.1307, 2)
})

const fashion = packaged('dataset-fashion-mnist')
test.skipIf(!fashion)('gzipped IDX files: Debian’s Fashion-MNIST', async () => {
  const { train, test } = await loadDataset(`idx:${fashion}`)
  expect([train.size, test.size, train.sampleDims]).toEqual([60_000, 10_000, [1, 28, 28]])
  expect([...train.labels.slice(0, 4)]).toEqual([9, 0, 0, 3])
})

/** An IDX file of bytes. */
const idx = (dims: number[], bytes: number[]) =>
  Uint8Array.from([0, 0, 8, dims.length, ...dims.flatMap((dim) => [0, 0, dim >> 8, dim & 255]), ...bytes])

test('IDX folders that are damaged or incomplete are refused by file', async () => {
  const own = join(folder, 'idx')
  await mkdir(own)
  await expect(loadDataset(`idx:${own}`)).rejects.toThrow(/no file of train images.*train-images-idx3-ubyte/)
  await expect(loadDataset(`idx:${join(folder, 'nowhere')}`)).rejects.toThrow(/nowhere.*cannot read the folder/)
  for (const part of ['train', 't10k']) {
    await writeFile(join(own, `${part}-images-idx3-ubyte`), idx([2, 1, 2], [1, 2, 3, 4]))
    await writeFile(join(own, `${part}-labels-idx1-ubyte`), idx([2], [0, 1]))
  }
  expect((await loadDataset(`idx:${own}`)).test.size).toBe(2)
  await truncate(join(own, 't10k-images-idx3-ubyte'), 18)
  await expect(loadDataset(`idx:${own}`)).rejects.toThrow(/t10k-images-idx3-ubyte.*takes 4 bytes and 2 are there/)
  await writeFile(join(own, 't10k-images-idx3-ubyte'), idx([1, 1, 2], [1, 2]))
  await expect(loadDataset(`idx:${own}`)).rejects.toThrow(/t10k-images.*are not 2 samples/)
  await writeFile(join(own, 't10k-images-idx3-ubyte'), Uint8Array.of(0x1f, 0x8b, 8, 0, 1))
  await expect(loadDataset(`idx:${own}`)).rejects.toThrow(/t10k-images-idx3-ubyte.*cannot be unzipped/)
  await cp('package.json', join(own, 't10k-images-idx3-ubyte'))
  await expect(loadDataset(`idx:${own}`)).rejects.toThrow(/not a whole IDX file/)
  await writeFile(join(own, 't10k-images-idx3-ubyte'), idx([2, 1, 2], [1, 2, 3, 4]))
  await writeFile(join(own, 't10k-labels-idx1-ubyte'), idx([2], [0, 2]))
  await expect(loadDataset(`idx:${own}`)).rejects.toThrow(/t10k-labels.*label of sample 1 is 2 and there are 2 classes/)
})

test('arrays of an archive: Keras’s MNIST layout, channels last, floats, other names', async () => {
  const path = join(folder, 'a.npz')
  const write = (arrays: Record<string, Tensor>) => writeNpz(path, new Map(Object.entries(arrays)), { compress: true })
  const labels = uint8([2], [0, 1])
  const grey = uint8([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])
  await write({ x_train: grey, y_train: labels, x_test: grey, y_test: int64([2, 1], [1, 1]) })
  const keras = await loadDataset(`npz:${path}`)
  expect([keras.train.sampleDims, [...keras.test.labels]]).toEqual([
    [1, 2, 2],
    [1, 1],
  ])

  const colour = uint8(
    [2, 5, 5, 3],
    Array.from({ length: 150 }, (_, i) => i),
  )
  await write({ train_images: colour, train_labels: labels, val_images: colour, val_labels: labels })
  const first = await loadDataset(`npz:${path}`, { testFraction: 0.5, classes: 2 }).catch((error: unknown) => error)
  expect(String(first)).toMatch(/too few samples/)
  await write({ train_images: colour, train_labels: labels, test_images: colour, test_labels: labels })
  const turned = (await loadDataset(`npz:${path}`)).train
  expect(turned.sampleDims).toEqual([3, 5, 5])
  expect([...turned.inputs.slice(0, 3), turned.inputs[25]]).toEqual([0, 3, 6, 1])
  expect((await loadDataset(`npz:${path}`, { layout: 'channels-last' })).train.sampleDims).toEqual([5, 5, 3])

  const file = join(folder, 'a.safetensors')
  const x = float32(
    [10, 4],
    Array.from({ length: 40 }, (_, i) => i / 8),
  )
  await writeSafetensors(
    file,
    new Map<string, Tensor>([
      ['images', x],
      ['labels', int64([10], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1])],
    ]),
  )
  const { train, test } = await loadDataset(`safetensors:${file}`, { sampleDims: [1, 2, 2] })
  expect([train.size, test.size, train.sampleDims]).toEqual([8, 2, [1, 2, 2]])
  expect([...test.labels].sort()).toEqual([0, 1])
  expect(numbersOf(batchOf(test, [0]).inputs)).toEqual(numbersOf(x).slice(test.rows![0]! * 4, test.rows![0]! * 4 + 4))

  await write({ pixels: grey })
  await expect(loadDataset(`npz:${path}`)).rejects.toThrow(/a\.npz.*among the arrays pixels.*name them x and y/)
  await write({ x: uint8([2], [1, 2]), y: labels })
  await expect(loadDataset(`npz:${path}`)).rejects.toThrow(/a\.npz.*shape \[2\] are no table/)
  await write({ x: grey, y: float32([2, 3], [1, 0, 0, 0, 1, 0]) })
  await expect(loadDataset(`npz:${path}`)).rejects.toThrow(/labels of shape \[2, 3\]/)
})

test.each<[string, string, { dims: number[]; x: number[]; y: number[]; classes?: string[] }]>([
  ['names in a header', 'a,label,b\n1,0,2\n3,1,4\n', { dims: [2, 2], x: [1, 2, 3, 4], y: [0, 1] }],
  ['no header, label last', '1,2,0\r\n3,4,1', { dims: [2, 2], x: [1, 2, 3, 4], y: [0, 1] }],
  ['label names', 'w;h;kind\n1;2;cat\n3;4;ant', { dims: [2, 2], x: [1, 2, 3, 4], y: [1, 0], classes: ['ant', 'cat'] }],
  ['label names, no header', '1\t2\tb\n3\t4\ta\n\n', { dims: [2, 2], x: [1, 2, 3, 4], y: [1, 0], classes: ['a', 'b'] }],
  [
    'quoted fields',
    '"x, first",class\n"1","a ""b"""\n-2e3,"c\nd"\n',
    { dims: [2, 1], x: [1, -2000], y: [0, 1], classes: ['a "b"', 'c\nd'] },
  ],
])('tables: %s', (_, text, { dims, x, y, classes }) => {
  const table = parseTable(text, 't.csv')
  expect([table.x.dims, numbersOf(table.x), numbersOf(table.y), table.classes]).toEqual([dims, x, y, classes])
})

test.each<[string, string, RegExp]>([
  ['nothing', '\n \n', /the table is empty/],
  ['only names', 'a,label\n', /no rows but its names/],
  ['one column', 'label\n1', /column of labels and one of numbers/],
  ['a short row', 'a,b,label\n1,2,0\n1,0', /line 3: 2 fields where the first row has 3/],
  ['text for a number', 'a,label\n1,0\nx,1', /line 3: 'x' in column 'a' is no number/],
  ['an empty field', '1,2,0\n1,,0', /line 2: '' in column 2/],
  ['not a number', 'a,label\nnan,0', /line 2: 'nan'/],
  ['a missing label', 'a,label\n1, ', /line 2: the label is missing/],
  ['an open quote', 'a,label\n"1,0\n2,1', /line 2: a quote is never closed/],
  ['rows after a quoted line break', '"a\nb",label\n1,0\nx,1', /line 4: 'x'/],
  ['two columns of answers of one name', 'a,y1,y2,y1 \n1,2,3,4', /columns of answers are called 'y1'/],
])('tables with %s are refused by line', (_, text, message) => {
  expect(() => parseTable(text, 't.csv')).toThrow(message)
  expect(() => parseTable(text, 't.csv')).toThrow(/t\.csv/)
})

test('a table as a dataset', async () => {
  const path = join(folder, 'iris.csv')
  await writeFile(
    path,
    `w,h,label\n${Array.from({ length: 20 }, (_, i) => `${i},${i / 2},${i % 2 ? 'odd' : 'even'}`).join('\n')}`,
  )
  const { train, test } = await loadDataset(`csv:${path}`, { testFraction: 0.2 })
  expect([train.size, test.size, train.classes, train.sampleDims]).toEqual([16, 4, ['even', 'odd'], [2]])
  await writeFile(path, 'w,label\n1,0\n2,0.5\n')
  await expect(loadDataset(`csv:${path}`)).rejects.toThrow(/iris\.csv.*label of sample 1 is 0\.5/)
})

// A 20 × 12 picture of red 80 + 4x, green 200 − 5y, blue 128, written by Chromium at quality 0.95.
const jpeg = Buffer.from(
  '/9j/4AAQSkZJRgABAQAAAQABAAD/4gHYSUNDX1BST0ZJTEUAAQEAAAHIAAAAAAQwAABtbnRyUkdCIFhZWiAH4AABAAEAAAAAAABhY3NwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAA9tYAAQAAAADTLQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAlkZXNjAAAA8AAAACRyWFlaAAABFAAAABRnWFlaAAABKAAAABRiWFlaAAABPAAAABR3dHB0AAABUAAAABRyVFJDAAABZAAAAChnVFJDAAABZAAAAChiVFJDAAABZAAAAChjcHJ0AAABjAAAADxtbHVjAAAAAAAAAAEAAAAMZW5VUwAAAAgAAAAcAHMAUgBHAEJYWVogAAAAAAAAb6IAADj1AAADkFhZWiAAAAAAAABimQAAt4UAABjaWFlaIAAAAAAAACSgAAAPhAAAts9YWVogAAAAAAAA9tYAAQAAAADTLXBhcmEAAAAAAAQAAAACZmYAAPKnAAANWQAAE9AAAApbAAAAAAAAAABtbHVjAAAAAAAAAAEAAAAMZW5VUwAAACAAAAAcAEcAbwBvAGcAbABlACAASQBuAGMALgAgADIAMAAxADb/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoKBggLDAsKDAkKCgr/2wBDAQICAgICAgUDAwUKBwYHCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgr/wAARCAAMABQDASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAABwAG/8QAIhAAAQIFBAMAAAAAAAAAAAAAAAEFBAYREyMDMUGhAiFh/8QAFgEBAQEAAAAAAAAAAAAAAAAABwUG/8QAHREAAgIBBQAAAAAAAAAAAAAAAAMBBQQGERMhIv/aAAwDAQACEQMRAD8AV2mdfSJe3+mnaZ22W72BLS6xtUy8GmaXWNp45eTMZlOrsG9NUKPI4Q07U0UzdkF+g7RtpMpEGadW4sroUccH/9k=',
  'base64',
)
const gradient = (x: number, y: number) => [80 + 4 * x, 200 - 5 * y, 128]

test('pictures in folders of classes', async () => {
  const own = join(folder, 'pictures')
  for (const part of ['train/ant', 'train/bee', 'val/bee']) await mkdir(join(own, part), { recursive: true })
  const rgb = Uint8Array.from({ length: 720 }, (_, i) => gradient(Math.floor(i / 3) % 20, Math.floor(i / 60))[i % 3]!)
  const rgba = Uint8Array.from({ length: 960 }, (_, i) => (i % 4 === 3 ? 9 : rgb[Math.floor(i / 4) * 3 + (i % 4)]!))
  const deep = Uint16Array.from(rgb, (value) => value * 257)
  const shape = { width: 20, height: 12 }
  await writeFile(join(own, 'train/ant/a.png'), encode({ ...shape, data: rgb, channels: 3 }))
  await writeFile(join(own, 'train/ant/b.PNG'), encode({ ...shape, data: rgba, channels: 4 }))
  await writeFile(join(own, 'train/ant/notes.txt'), 'not a picture')
  await writeFile(join(own, 'train/bee/c.png'), encode({ ...shape, data: deep, channels: 3, depth: 16 }))
  await writeFile(join(own, 'val/bee/d.jpg'), jpeg)

  const { train, test } = await loadDataset(`images:${own}`)
  expect([train.classes, train.sampleDims, [...train.labels], [...test.labels]]).toEqual([
    ['ant', 'bee'],
    [3, 12, 20],
    [0, 0, 1],
    [1],
  ])
  const planes = Array.from({ length: 720 }, (_, i) => gradient(i % 20, Math.floor(i / 20) % 12)[Math.floor(i / 240)]!)
  for (let i = 0; i < 3; i++) expect([...train.inputs.slice(i * 720, (i + 1) * 720)]).toEqual(planes)
  const off = planes.map((value, i) => Math.abs(value - test.inputs[i]!))
  expect(Math.max(...off)).toBeLessThan(8)
  expect(off.reduce((sum, value) => sum + value, 0) / 720).toBeLessThan(2)

  const small = await loadDataset(`images:${own}`, { size: 6, channels: 1, layout: 'channels-last' })
  expect([small.train.sampleDims, small.test.sampleDims]).toEqual([
    [6, 6, 1],
    [6, 6, 1],
  ])
  // Cover keeps columns 4 to 15; the first pixel's triangle of radius 2 reaches from column 3, row 0 to 6 and 2.
  const [red, green] = [80 + 4 * 4.5, 200 - 5 * ((0.75 * 1 + 0.25 * 2) / 1.75)]
  expect(Math.abs(small.train.inputs[0]! - (0.299 * red + 0.587 * green + 0.114 * 128))).toBeLessThan(1)

  await writeFile(join(own, 'val/bee/e.png'), encode({ width: 1, height: 1, data: new Uint8Array(3), channels: 3 }))
  await expect(loadDataset(`images:${own}`)).rejects.toThrow(/e\.png.*1 × 1 where others are 20 × 12/)
  expect((await loadDataset(`images:${own}`, { size: [12, 20] })).test.size).toBe(2)
  await writeFile(join(own, 'val/bee/e.png'), jpeg.subarray(0, 700))
  await expect(loadDataset(`images:${own}`)).rejects.toThrow(/e\.png.*cannot be decoded/)
  await writeFile(join(own, 'val/bee/e.png'), 'text')
  await expect(loadDataset(`images:${own}`)).rejects.toThrow(/e\.png.*neither a PNG nor a JPEG/)
  await rm(join(own, 'val/bee/e.png'))
  await mkdir(join(own, 'train/cow'))
  await expect(loadDataset(`images:${own}`)).rejects.toThrow(/cow.*no pictures/)
  await rm(join(own, 'train/cow'), { recursive: true })
  await cp(join(own, 'val/bee'), join(own, 'val/eel'), { recursive: true })
  await expect(loadDataset(`images:${own}`)).rejects.toThrow(/'eel' is none of the classes ant, bee/)
})

test('grey pictures have one channel; a hostile size is refused before decoding', async () => {
  const own = join(folder, 'grey')
  const grey = (value: number) => encode({ width: 2, height: 2, data: new Uint8Array(4).fill(value), channels: 1 })
  for (const [i, name] of ['0', '1'].entries()) {
    await mkdir(join(own, name), { recursive: true })
    for (let j = 0; j < 5; j++) await writeFile(join(own, name, `${j}.png`), grey(i * 100 + j))
  }
  const { train, test } = await loadDataset(`images:${own}`)
  expect([train.size, test.size, train.sampleDims]).toEqual([8, 2, [1, 2, 2]])
  for (const data of [train, test])
    for (let i = 0; i < data.size; i++) expect(Math.floor(data.inputs[data.rows![i]! * 4]! / 100)).toBe(data.labels[i])

  await writeFile(join(own, '1/9.png'), encode({ width: 2, height: 2, data: new Uint8Array(12), channels: 3 }))
  await expect(loadDataset(`images:${own}`)).rejects.toThrow(/9\.png.*in colour where others are grey/)
  const bomb = Uint8Array.from(grey(1))
  bomb.set([0x7f, 0xff, 0xff, 0xff], 16)
  await writeFile(join(own, '1/9.png'), bomb)
  await expect(loadDataset(`images:${own}`)).rejects.toThrow(/9\.png.*100 million pixels/)
})

test('an unknown spec says which there are', async () => {
  for (const spec of ['', 'cifar', 'tar:x', 'idx:', 'constructor:x']) {
    await expect(loadDataset(spec)).rejects.toThrow(UsageError)
    await expect(loadDataset(spec)).rejects.toThrow(
      /mnist, idx:DIR, images:DIR, npz:FILE, safetensors:FILE or csv:FILE/,
    )
  }
  await expect(loadDataset('npz:missing.npz')).rejects.toThrow(/missing\.npz.*cannot read/)
})
