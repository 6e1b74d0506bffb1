import { createRequire } from 'node:module'
import { messageOf, UsageError, visible } from '../base/index.ts'
import { asksFor } from './arguments.ts'
import { type Command, helpText, Rejection } from './command.ts'
import { commands } from './commands/index.ts'
import { jsonText, makeConsole, type Streams } from './console.ts'
import { type Interrupt, Interrupted, uninterrupted } from './interrupt.ts'
import { stage } from './limits/report.ts'
import { resumingLine } from './quoted.ts'
import { nearest } from './slips.ts'

const overview = (): string => {
  const width = Math.max(...commands.map(({ name }) => name.length))
  return [
    'espalier: trains, prunes and retrains neural networks that are ONNX files',
    '',
    ...commands.map(({ name, summary }) => `  espalier ${name.padEnd(width)}  ${summary}`),
    '',
    'espalier COMMAND --help says more.',
  ].join('\n')
}

const find = (name: string): Command => {
  const found = commands.find((command) => command.name === name)
  if (found) return found
  const names = commands.map((command) => command.name)
  const meant = nearest(name, names)
  throw new UsageError(`there is no command '${name}'`, {
    remedy: meant === undefined ? `use one of ${names.join(', ')}` : `did you mean espalier ${meant}?`,
  })
}

/** The command that help is asked for: '' for all of them, undefined where none is asked for. */
const helpFor = ([first = '', ...rest]: readonly string[]): string | undefined => {
  if (first === 'help' || asksFor('help', [first])) return rest.find((word) => !word.startsWith('-')) ?? ''
  return asksFor('help', rest) ? first : undefined
}

/** Whether `--resume` goes on with a command line, which may be a wrong one. */
const resumes = (name: string, args: readonly string[]): boolean => {
  try {
    return find(name).resumes(args)
  } catch {
    return false
  }
}

const oneLine = (text: string): string => text.trim().replace(/\s*[\r\n]\s*/g, ' ')

/** Runs one command line and prints to the streams given; 0 done, 1 failed, 2 wrong usage, 130 or 143 ended by a signal. */
export const run = async (
  argv: readonly string[],
  { stdout, stderr }: Streams,
  interrupt: Interrupt = uninterrupted,
): Promise<number> => {
  const [name = '', ...args] = argv
  const helped = helpFor(argv)
  if (argv.length === 0 || helped === '') {
    stdout.write(`${overview()}\n`)
    return argv.length === 0 ? 2 : 0
  }
  if (name === '--version') {
    const { version }: { version: string } = createRequire(import.meta.url)('../../package.json')
    stdout.write(`${version}\n`)
    return 0
  }
  const json = asksFor('json', args)
  const console = makeConsole(json, { stdout, stderr })
  try {
    const command = find(helped ?? name)
    if (helped !== undefined) {
      stdout.write(`${helpText(command)}\n`)
      return 0
    }
    interrupt.onAsked(() => console.progress('ending after this step; Ctrl-C again ends at once'))
    const document = await Promise.race([interrupt.atOnce, command.run(args, console, interrupt)])
    stage('end')
    console.clear()
    if (json) stdout.write(`${jsonText(document)}\n`)
    return 0
  } catch (error) {
    stage('end')
    console.clear()
    if (error instanceof Interrupted) {
      const next = resumes(name, args) ? `; to go on: ${resumingLine(argv)}` : ''
      stderr.write(`espalier: ${visible(`${error.message}${next}`)}\n`)
      return error.exitCode
    }
    if (json && error instanceof Rejection) stdout.write(`${jsonText(error.document)}\n`)
    stderr.write(`espalier: ${visible(oneLine(messageOf(error)))}\n`)
    if (process.env.ESPALIER_DEBUG && error instanceof Error)
      stderr.write(`${error.stack?.split('\n').map(visible).join('\n')}\n`)
    return error instanceof UsageError ? 2 : 1
  }
}
