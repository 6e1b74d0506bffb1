import { createRequire } from 'node:module'
import { messageOf, UsageError } from '../base/index.ts'
import { type Command, helpText, Rejection } from './command.ts'
import { commands } from './commands/index.ts'
import { makeConsole, type Streams } from './console.ts'

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
  throw new UsageError(`there is no command '${name}'`, {
    remedy: `use one of ${commands.map((command) => command.name).join(', ')}`,
  })
}

const oneLine = (text: string): string => text.trim().replace(/\s*[\r\n]\s*/g, ' ')

/** Runs one command line and prints to the streams given; 0 done, 1 failed, 2 wrong usage. */
export const run = async (argv: readonly string[], { stdout, stderr }: Streams): Promise<number> => {
  const [name = '', ...args] = argv
  if (name === '' || name === '--help' || name === 'help') {
    stdout.write(`${overview()}\n`)
    return name === '' ? 2 : 0
  }
  if (name === '--version') {
    const { version }: { version: string } = createRequire(import.meta.url)('../../package.json')
    stdout.write(`${version}\n`)
    return 0
  }
  const json = args.includes('--json')
  const console = makeConsole(json, { stdout, stderr })
  try {
    const command = find(name)
    if (args.includes('--help')) {
      stdout.write(`${helpText(command)}\n`)
      return 0
    }
    const document = await command.run(args, console)
    console.clear()
    if (json) stdout.write(`${JSON.stringify(document, null, 2)}\n`)
    return 0
  } catch (error) {
    console.clear()
    if (json && error instanceof Rejection) stdout.write(`${JSON.stringify(error.document, null, 2)}\n`)
    stderr.write(`espalier: ${oneLine(messageOf(error))}\n`)
    if (process.env.ESPALIER_DEBUG && error instanceof Error) stderr.write(`${error.stack}\n`)
    return error instanceof UsageError ? 2 : 1
  }
}
