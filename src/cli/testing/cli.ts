import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sizeOf } from '../../base/index.ts'
import type { Dataset } from '../../data/index.ts'
import { networks } from '../../nn/index.ts'
import { writeModel } from '../../onnx/file.ts'
import { digits } from '../../train/testing/samples.ts'
import { commands } from '../commands/index.ts'
import { type Interrupt, uninterrupted } from '../interrupt.ts'
import type { Options } from '../options.ts'
import { run } from '../run.ts'

/** The command line as it is installed: the built one. */
export const main = join(import.meta.dirname, '../../../dist/cli/main.js')

export type Outcome = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

/** A command line in which a flag replaces the same one before it, so that tests can vary a common command. */
const varied = (line: readonly string[]): string[] => {
  const [name, ...args] = line
  if (name === undefined) return []
  const options: Options = commands.find((command) => command.name === name)?.options ?? {}
  const flagOf = (arg: string) => /^--([^=]+)/.exec(arg)?.[1] ?? ''
  const single = (arg: string) => {
    const option = Object.hasOwn(options, flagOf(arg)) ? options[flagOf(arg)] : undefined
    return option !== undefined && option.kind !== 'list' && option.kind !== 'flag'
  }
  const replaced = (arg: string, i: number) =>
    single(arg) && args.some((later, j) => j > i && flagOf(later) === flagOf(arg))
  const kept = args.filter((arg, i) => {
    const before = args[i - 1] ?? ''
    const isValue = i > 0 && single(before) && !before.includes('=')
    return !(isValue ? replaced(before, i - 1) : replaced(arg, i))
  })
  return [name, ...kept]
}

/**
 * Runs a command line here, in a folder: what the built program does but for starting a process. A flag replaces the same
 * one before it. What `reads` throws ends it, as the end of its reader ends a program.
 */
export const espalier = async (
  folder: string,
  args: readonly string[],
  reads: (text: string) => void = () => {},
  interrupt: Interrupt = uninterrupted,
): Promise<Outcome> => {
  const texts = { stdout: '', stderr: '' }
  const into = (name: keyof typeof texts) => ({
    write: (text: string) => {
      texts[name] += text
      reads(text)
    },
  })
  const before = process.cwd()
  process.chdir(folder)
  try {
    return { code: await run(varied(args), { stdout: into('stdout'), stderr: into('stderr') }, interrupt), ...texts }
  } finally {
    process.chdir(before)
  }
}

/** Runs the built program in a folder. `fileLimit` (KiB) makes writing fail as a full disk does. */
export const spawned = (
  folder: string,
  args: readonly string[],
  { fileLimit }: { fileLimit?: number } = {},
): Promise<Outcome> => {
  const command = [process.execPath, main, ...varied(args)]
  const [program = '', ...rest] =
    fileLimit === undefined ? command : ['bash', '-c', `ulimit -f ${fileLimit}; exec "$@"`, 'bash', ...command]
  return new Promise((done, failed) => {
    const child = spawn(program, rest, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const texts = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        texts[stream] += text
      })
    child.on('error', failed).on('close', (code) => done({ code, ...texts }))
  })
}

/** The one document that `--json` prints. */
export const json = async <T>(folder: string, args: readonly string[]): Promise<T> => {
  const { code, stdout, stderr } = await espalier(folder, [...args, '--json'])
  if (code !== 0 || stderr !== '') throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout)
}

export const temporary = (): Promise<string> => mkdtemp(join(tmpdir(), 'espalier-cli-'))

/** Writes a network of this project as NAME.onnx. */
export const writeNetwork = async (folder: string, name: string, seed = 0): Promise<string> => {
  const network = networks[name]
  if (!network) throw new Error(`no network ${name}`)
  await writeModel(join(folder, `${name}.onnx`), network.build({ seed }))
  return `${name}.onnx`
}

/** An array of bytes as an IDX file. */
const idx = (dims: readonly number[], bytes: Uint8Array): Uint8Array => {
  const head = new DataView(new ArrayBuffer(4 + 4 * dims.length))
  head.setUint32(0, 0x0800 + dims.length)
  for (const [i, dim] of dims.entries()) head.setUint32(4 + 4 * i, dim)
  return Buffer.concat([new Uint8Array(head.buffer), bytes])
}

/** Writes samples as the four IDX files of a folder: the first `train` to train on, the rest to test. */
export const writeIdx = async (folder: string, data: Dataset, train: number): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const sample = sizeOf(data.sampleDims)
  for (const [part, from, to] of [
    ['train', 0, train],
    ['t10k', train, data.size],
  ] as const) {
    const bytes = Uint8Array.from(data.inputs.subarray(from * sample, to * sample))
    await writeFile(join(folder, `${part}-images-idx3-ubyte`), idx([to - from, ...data.sampleDims.slice(1)], bytes))
    const labels = Uint8Array.from(data.labels.subarray(from, to))
    await writeFile(join(folder, `${part}-labels-idx1-ubyte`), idx([to - from], labels))
  }
}

/** A folder `data` of the first real digits, a quarter of them to test on. */
export const writeDigits = async (folder: string, count = 160): Promise<void> =>
  writeIdx(join(folder, 'data'), await digits(count), Math.floor(count * 0.75))
