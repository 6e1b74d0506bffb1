import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EspalierError, float32, int64, type Random, random } from '../base/index.ts'
import { espalier, spawned } from '../cli/testing/cli.ts'
import { encodeNpz, encodeSafetensors } from '../formats/index.ts'
import { encodeModel, GraphBuilder, makeGraph, makeModel } from '../onnx/index.ts'
import { fixture } from '../testing/fixtures.ts'
import { checkMessage } from './reading.ts'
import { ensure, Violation } from './target.ts'

const drawn = (count: number, dice: Random) => Float32Array.from({ length: count }, () => 0.5 * dice.normal())

/** Two dense layers: 4 numbers to 3 classes. */
const dense = (): Uint8Array => {
  const dice = random(1)
  const graph = makeGraph('dense')
  graph.inputs = [{ name: 'x', type: 'float32', dims: ['N', 4] }]
  const b = new GraphBuilder(graph)
  const weight = (name: string, dims: number[]) =>
    b.initializer(
      name,
      float32(
        dims,
        drawn(
          dims.reduce((a, c) => a * c),
          dice,
        ),
      ),
    )
  const hidden = b.op('Relu', [b.op('Gemm', ['x', weight('fc1.weight', [4, 6]), weight('fc1.bias', [6])])])
  graph.outputs = [
    {
      name: b.op('Gemm', [hidden, weight('fc2.weight', [6, 3]), weight('fc2.bias', [3])]),
      type: 'float32',
      dims: ['N', 3],
    },
  ]
  return encodeModel(makeModel(graph))
}

/** A convolution and a dense layer: 1×6×6 pictures to 3 classes. */
const convolutional = (): Uint8Array => {
  const dice = random(2)
  const graph = makeGraph('convolutional')
  graph.inputs = [{ name: 'x', type: 'float32', dims: ['N', 1, 6, 6] }]
  const b = new GraphBuilder(graph)
  const weight = (name: string, dims: number[]) =>
    b.initializer(
      name,
      float32(
        dims,
        drawn(
          dims.reduce((a, c) => a * c),
          dice,
        ),
      ),
    )
  const conv = b.op('Conv', ['x', weight('conv.weight', [4, 1, 3, 3]), weight('conv.bias', [4])], {
    kernel_shape: [3, 3],
  })
  const flat = b.op('Flatten', [b.op('Relu', [conv])])
  graph.outputs = [{ name: b.op('Gemm', [flat, weight('fc.weight', [64, 3])]), type: 'float32', dims: ['N', 3] }]
  return encodeModel(makeModel(graph))
}

const samples = (dims: number[]) => {
  const dice = random(3)
  const x = float32([24, ...dims], drawn(24 * dims.reduce((a, c) => a * c), dice))
  return new Map([
    ['x', x],
    [
      'y',
      int64(
        [24],
        Array.from({ length: 24 }, (_, i) => i % 3),
      ),
    ],
  ])
}

/** Small files of every kind that the commands take, by name. */
export const smallFiles = (): Map<string, Uint8Array> => {
  const text = (value: string) => new TextEncoder().encode(value)
  const rows = Array.from({ length: 24 }, (_, i) => `${i % 5},${i % 7},${i % 2},${(i * i) % 11},${'abc'[i % 3]}`)
  return new Map([
    ['dense.onnx', dense()],
    ['conv.onnx', convolutional()],
    ['dense.npz', encodeNpz(samples([4]))],
    ['conv.npz', encodeNpz(samples([1, 6, 6]))],
    ['dense.safetensors', encodeSafetensors(samples([4]))],
    ['dense.csv', text(['a,b,c,d,label', ...rows].join('\n'))],
    ['numbers.csv', text(['a,b,c,d,y1,y2,y3', ...rows.map((row) => row.replace(/[abc]$/, '1,0.5,-1'))].join('\n'))],
    ['text.txt', text('no tensors here')],
    ['empty.onnx', new Uint8Array()],
    ['case.onnx', readFileSync(fixture('gradients/mlp.onnx'))],
    ['case.safetensors', readFileSync(fixture('gradients/mlp.safetensors'))],
    ['trace.safetensors', readFileSync(fixture('optimizer-traces/adamw.safetensors'))],
  ])
}

type Listing = ReadonlyMap<string, string>

/** Every file and folder below one, with its size and time. */
const listing = (folder: string): Listing =>
  new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => {
      const { size, mtimeMs, isDirectory } = entryOf(join(folder, name))
      return [name, isDirectory ? 'folder' : `${size} ${mtimeMs}`]
    }),
  )

const entryOf = (path: string) => {
  const found = statSync(path, { throwIfNoEntry: false })
  return { size: found?.size ?? 0, mtimeMs: found?.mtimeMs ?? 0, isDirectory: found?.isDirectory() ?? false }
}

const ownError = 'an error of this project'

/** Runs commands so that the line of an error is followed by whether it is one of this project's own, and its stack. */
const withKinds = async <T>(work: () => Promise<T>): Promise<T> => {
  const before = Error.prepareStackTrace
  process.env.ESPALIER_DEBUG = '1'
  Error.prepareStackTrace = (error, frames) =>
    [error instanceof EspalierError ? ownError : String(error), ...frames.map((frame) => `    at ${frame}`)].join('\n')
  try {
    return await work()
  } finally {
    delete process.env.ESPALIER_DEBUG
    Error.prepareStackTrace = before
  }
}

type RunOptions = { readonly apart?: boolean; readonly files?: Readonly<Record<string, Uint8Array>> }

/** A folder for command lines, brought back to the same files before each. */
export class Bench {
  readonly folder: string
  readonly #files: ReadonlyMap<string, Uint8Array>
  #clean: Listing = new Map()

  constructor(folder: string, files: ReadonlyMap<string, Uint8Array>) {
    // Paths with '..' of hostile arguments stay inside the outer folder.
    this.folder = join(folder, 'a/b/c')
    this.#files = files
    mkdirSync(this.folder, { recursive: true })
    this.#restore()
  }

  #restore() {
    for (const name of readdirSync(this.folder))
      if (!this.#files.has(name)) rmSync(join(this.folder, name), { recursive: true, force: true })
    const now = listing(this.folder)
    for (const [name, bytes] of this.#files)
      if (!now.has(name) || now.get(name) !== this.#clean.get(name)) writeFileSync(join(this.folder, name), bytes)
    this.#clean = listing(this.folder)
  }

  /**
   * Runs a command line here, or the built program where `apart` is set, and checks what holds for every command line: it
   * ends with 0, 1 or 2, failures have one clean line, and wrong usage writes nothing. `files` are there beside the others.
   * @returns 'done', 'failed' or 'refused'
   */
  async run(args: readonly string[], { apart = false, files = {} }: RunOptions = {}): Promise<string> {
    this.#restore()
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(this.folder, name), bytes)
    this.#clean = listing(this.folder)
    const { code, stdout, stderr } = await (apart
      ? spawned(this.folder, args)
      : withKinds(() => espalier(this.folder, args)))
    if (code !== 0 && code !== 1 && code !== 2) throw new Violation(`exit code ${code}: ${stderr}`)
    const [line = '', ...stack] = stderr.trimEnd().split('\n')
    if (code === 0) ensure(stderr === '', `stderr after success: ${stderr}`)
    else if (args[0] !== undefined) {
      ensure(line.startsWith('espalier: '), `stderr is '${line}'`)
      checkMessage(line)
      if (apart) ensure(stack.length === 0, `more than one line: ${stderr}`)
      else ensure(stack[0] === ownError, `an error that nobody throws on purpose: ${stderr}`)
    }
    ensure(!/[^\P{Cc}\n]/u.test(stdout), `control characters on stdout: ${JSON.stringify(stdout.slice(0, 500))}`)
    if (
      args.includes('--json') &&
      !args.some((word) => word === '--help' || word === '-h') &&
      (code === 0 || stdout !== '')
    )
      checkJson(stdout)
    this.#checkFiles(code)
    return ['done', 'failed', 'refused'][code] ?? ''
  }

  #checkFiles(code: number) {
    const now = listing(this.folder)
    const temporary = [...now.keys()].filter((name) => /\.tmp$|\.lock$/.test(name))
    ensure(temporary.length === 0, `left behind: ${temporary.join(', ')}`)
    if (code !== 2) return
    const changed = [...now].filter(([name, state]) => this.#clean.get(name) !== state).map(([name]) => name)
    ensure(changed.length === 0, `wrong usage, and yet written: ${changed.join(', ')}`)
  }
}

const checkJson = (text: string) => {
  try {
    JSON.parse(text)
  } catch {
    ensure(false, `stdout is not one JSON document: ${text.slice(0, 300)}`)
  }
}
