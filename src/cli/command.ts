import { type ErrorPlace, EspalierError, UsageError } from '../base/index.ts'
import { type Arguments, parseArguments } from './arguments.ts'
import type { Console } from './console.ts'
import { checkEffects, type Effect } from './effects.ts'
import type { Interrupt } from './interrupt.ts'
import { watchedCommands } from './limits/commands.ts'
import { limitOptions, limitsFrom } from './limits/limits.ts'
import { reportLimits } from './limits/report.ts'
import { type Options, optionLines, type Parsed, type Sections } from './options.ts'

/** A command of the command line. */
export type Command = {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** What follows the name, such as 'MODEL --out FILE'. */
  readonly usage: string
  readonly positionals: readonly string[]
  readonly options: Options
  /** When flags have an effect; those of no entry always have. */
  readonly effects: readonly Effect[]
  /** Parts of the flags that help shows under titles. */
  readonly sections?: Sections
  /**
   * Reads a command line; nothing is run.
   * @throws UsageError for one that makes no sense
   */
  read(args: readonly string[]): Arguments
  /** Whether `--resume` goes on with what these arguments began. */
  resumes(args: readonly string[]): boolean
  /** @returns the document that `--json` prints. */
  run(args: readonly string[], console: Console, interrupt: Interrupt): Promise<unknown>
}

/** The answer is no: what was checked does not hold. The command fails, and `--json` prints the figures all the same. */
export class Rejection extends EspalierError {
  readonly document: unknown

  constructor(what: string, options: { place: ErrorPlace; remedy?: string; document: unknown }) {
    super(what, options)
    this.document = options.document
  }
}

type Definition<O extends Options> = {
  readonly name: string
  readonly summary: string
  readonly usage: string
  /** Names of the arguments that must be given; one ending in '…' may be given several times. */
  readonly positionals: readonly string[]
  readonly options: O
  readonly effects?: readonly Effect<keyof O & string>[]
  readonly sections?: Sections
  /** Whether a run with these flags leaves checkpoints that `--resume` goes on from; none does unless given. */
  resumable?(values: Parsed<O>): boolean
  run(call: {
    positionals: readonly string[]
    values: Parsed<O>
    console: Console
    interrupt: Interrupt
  }): Promise<unknown>
}

/** Makes a command from its typed definition. One that is watched takes the flags that limit it, too. */
export const command = <const O extends Options>(definition: Definition<O>): Command => {
  const { effects = [] } = definition
  const watched = watchedCommands.has(definition.name)
  const options: Options = watched ? { ...definition.options, ...limitOptions } : definition.options
  const read = (args: readonly string[]): Arguments => {
    const found = parseArguments(args, options)
    checkPositionals(definition, found.positionals)
    checkEffects(effects, options, found)
    return found
  }
  return {
    ...definition,
    ...{ options, effects, read },
    ...(watched && { sections: { ...definition.sections, 'limits on time and memory': limitOptions } }),
    resumes(args) {
      const { values } = read(args)
      return fits(values, definition.options) && (definition.resumable?.(values) ?? false)
    },
    async run(args, console, interrupt) {
      const { values, positionals } = read(args)
      if (!fits(values, definition.options)) throw new UsageError('the flags do not fit their table')
      if (watched && fits(values, limitOptions)) reportLimits(limitsFrom(values))
      return definition.run({ positionals, values, console, interrupt })
    },
  }
}

/** `parseArguments` has read every flag of the table by its kind, which is what the mapped type says. */
const fits = <O extends Options>(values: object, options: O): values is Parsed<O> =>
  Object.keys(options).every((name) => name in values)

const checkPositionals = (
  { name, usage, positionals }: Pick<Command, 'name' | 'usage' | 'positionals'>,
  given: readonly string[],
) => {
  const remedy = `write: espalier ${name} ${usage}`
  const many = positionals.at(-1)?.endsWith('…') ?? false
  if (given.length < positionals.length) throw new UsageError(`${positionals[given.length]} is missing`, { remedy })
  if (!many && given.length > positionals.length)
    throw new UsageError(`'${given[positionals.length]}' is one argument too many`, { remedy })
  const empty = given.findIndex((text) => text.trim() === '')
  if (empty >= 0) throw new UsageError(`${positionals[Math.min(empty, positionals.length - 1)]} is empty`, { remedy })
}

/** What `--help` prints. */
export const helpText = ({ name, usage, summary, options, sections }: Command): string =>
  [`espalier ${name} ${usage}`, '', `  ${summary}`, '', ...optionLines(options, sections)].join('\n')
