import { visible } from '../base/index.ts'
import { cut, padEnd, padStart, widthOf } from './width.ts'

/** Where a command prints. With `--json` people's lines are left out, and progress goes to stderr only on a terminal. */
export type Console = {
  /** A line for people, or several, on stdout. What a line would hide or obey is shown as an escape. */
  say(text?: string | readonly string[]): void
  /** Replaces the line of progress on stderr; nothing where stderr is no terminal. */
  progress(text: string): void
  /** Takes the line of progress away. */
  clear(): void
}

/** Where text goes: a process, or what stands in for it. */
export type Streams = {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number }
}

export const makeConsole = (json: boolean, { stdout, stderr }: Streams): Console => {
  const live = stderr.isTTY === true
  let shown = false
  const clear = () => {
    if (shown) stderr.write('\r\x1b[2K')
    shown = false
  }
  return {
    say(text = '') {
      if (json) return
      clear()
      for (const line of [text].flat()) stdout.write(`${visible(line)}\n`)
    },
    progress(text) {
      if (!live) return
      stderr.write(`\r\x1b[2K${cut(visible(text), (stderr.columns ?? 80) - 1)}`)
      shown = true
    },
    clear,
  }
}

/** A bar of progress: `███████░░░ 70 %`. */
export const bar = (share: number, width = 24): string => {
  const full = Math.round(Math.min(Math.max(share, 0), 1) * width)
  return `${'█'.repeat(full)}${'░'.repeat(width - full)} ${String(Math.floor(share * 100)).padStart(3)} %`
}

/** The widest that a cell of a table may be: a name from a file may have megabytes. */
const widestCell = 200

/** Rows of cells as aligned columns, line by line: the first column to the left, numbers to the right. */
export const table = (header: readonly string[], rows: readonly (readonly string[])[]): string[] => {
  const [head = [], ...body] = [header, ...rows].map((row) => row.map((cell) => cut(visible(cell), widestCell)))
  const widths = head.map((cell, column) =>
    body.reduce((most, row) => Math.max(most, widthOf(row[column] ?? '')), widthOf(cell)),
  )
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? padEnd(cell, widths[column]!) : padStart(cell, widths[column]!)))
      .join('  ')
      .trimEnd()
  return [line(head), widths.map((width) => '─'.repeat(width)).join('  '), ...body.map(line)]
}

/** A document as JSON of which a terminal obeys nothing. */
export const jsonText = (document: unknown): string =>
  JSON.stringify(document, null, 2).replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** 1234567 → '1 234 567', with thin gaps that keep a column readable. */
export const grouped = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ')

/** Bytes in the unit that reads best: '116.3 kB'. */
export const byteText = (bytes: number): string => {
  if (bytes < 1000) return `${bytes} B`
  const units = ['kB', 'MB', 'GB']
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), units.length)
  return `${(bytes / 1000 ** power).toFixed(1)} ${units[power - 1]}`
}

export const percent = (share: number, digits = 2): string => `${(share * 100).toFixed(digits)} %`

/** Seconds as a person says them: '42 s', '3 min 05 s'. */
export const duration = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}

/** The article's plot of sorted sums, in one line. */
export const sparkline = (sorted: readonly number[]): string => {
  const [low, high] = [sorted[0] ?? 0, sorted.at(-1) ?? 0]
  const step = Math.max(1, sorted.length / 48)
  const points = Array.from({ length: Math.min(sorted.length, 48) }, (_, i) => sorted[Math.floor(i * step)]!)
  return points.map((value) => '▁▂▃▄▅▆▇█'[Math.round(((value - low) / (high - low || 1)) * 7)]).join('')
}
