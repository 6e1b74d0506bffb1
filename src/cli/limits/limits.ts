import { totalmem } from 'node:os'
import { UsageError } from '../../base/index.ts'
import type { Options, Parsed } from '../options.ts'

/** What a process may take before it is ended. */
export type Limits = {
  /** Seconds of work altogether, training aside; undefined for any number. */
  readonly seconds: number | undefined
  /** Seconds without a sign of life, training aside. */
  readonly silence: number
  /** Bytes of memory that the process holds; undefined for the machine's share, training aside. */
  readonly memory: number | undefined
}

/** One run of a model at batch 1 takes seconds at most: a longer silence is an endless loop. */
const defaultSilence = 120

export const defaultLimits: Limits = { seconds: undefined, silence: defaultSilence, memory: undefined }

export const limitOptions = {
  'time-limit': {
    kind: 'number',
    value: 'SECONDS',
    help: `ends the command after this time, training not counted (default: after ${defaultSilence} s without an answer from the model)`,
    min: 0,
  },
  'memory-limit': {
    kind: 'text',
    value: 'SIZE',
    help: "ends the command once it takes this much memory, such as 4GB (default: three quarters of the machine's memory)",
    check: (text: string) => bytesIn(text),
  },
} as const satisfies Options

/** @throws UsageError for a time of 0 or a size that cannot be read */
export const limitsFrom = (values: Parsed<typeof limitOptions>): Limits => {
  const { 'time-limit': seconds, 'memory-limit': memory } = values
  if (seconds === 0) throw new UsageError('--time-limit 0 leaves no time', { remedy: 'give seconds above 0' })
  return {
    seconds,
    silence: seconds ?? defaultSilence,
    memory: memory === undefined ? undefined : bytesIn(memory),
  }
}

const units = ['', 'k', 'm', 'g', 't']

/** '4GB', '512 MiB', '1.5g' as bytes. */
const bytesIn = (text: string): number => {
  const [, number = '', unit = '', binary = ''] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt])(i?)b?\s*$/i.exec(text) ?? []
  const bytes = Number(number) * (binary ? 1024 : 1000) ** units.indexOf(unit.toLowerCase())
  if (number === '' || bytes === 0)
    throw new UsageError(`--memory-limit ${text} is no size`, { remedy: 'give one such as 4GB or 512MB' })
  return bytes
}

/** Three quarters of the memory that this machine, or the container, has. */
export const memoryShare = (): number => {
  const constrained = process.constrainedMemory?.() ?? 0
  return 0.75 * (constrained > 0 ? Math.min(constrained, totalmem()) : totalmem())
}
