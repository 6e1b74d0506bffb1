import { visible } from './visible.ts'

/** Where an error was found: any of these that is known. */
export type ErrorPlace = {
  file?: string
  node?: string
  operator?: string
  initializer?: string
  value?: string
  axis?: number
}

/**
 * Every error this library throws on purpose. The message is one line: what is wrong, where, and what to do about it.
 */
export class EspalierError extends Error {
  override readonly name: string = 'EspalierError'
  readonly place: ErrorPlace
  readonly remedy: string | undefined

  constructor(what: string, options: { place?: ErrorPlace; remedy?: string; cause?: unknown } = {}) {
    const place = options.place ?? {}
    const where = Object.entries(place)
      .filter(([, value]) => (typeof value === 'string' && value !== '') || typeof value === 'number')
      .map(([key, value]) => `${key} ${typeof value === 'string' ? `'${oneLine(value, 200)}'` : value}`)
      .join(', ')
    const message = `${where ? `${where}: ` : ''}${oneLine(what, 1000)}${options.remedy ? `; ${oneLine(options.remedy, 1000)}` : ''}`
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.place = place
    this.remedy = options.remedy
  }
}

/** Names come from files, and a hostile one may hold line breaks, terminal codes or megabytes. */
const oneLine = (text: string, longest: number): string => {
  const plain = visible(text.slice(0, longest).replace(/\s*[\r\n]\s*/g, ' '))
  return text.length > longest ? `${plain}…` : plain
}

/** A file that cannot be read as what it should be: truncated, damaged, or of another kind. */
export class FormatError extends EspalierError {
  override readonly name = 'FormatError'
}

/** An operator, attribute or type this library has no rule for. */
export class UnsupportedError extends EspalierError {
  override readonly name = 'UnsupportedError'
}

/** An option or argument that makes no sense; the command line exits with 2. */
export class UsageError extends EspalierError {
  override readonly name = 'UsageError'
}

/** The message of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
