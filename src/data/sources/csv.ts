import { FormatError, float32, type Tensor } from '../../base/index.ts'
import { readBytes } from '../../formats/file.ts'
import { type LoadOptions, type Splits, splitsOf } from './arrays.ts'

/** A table of numbers with a label column of class numbers or names, or with columns of numbers to be met. */
export const loadCsv = async (path: string, options: LoadOptions = {}): Promise<Splits> => {
  const { x, y, classes } = parseTable(textOf(await readBytes(path), path), path)
  if (options.answers === 'numbers' && classes && y.dims.length === 1)
    throw new FormatError(`the labels are names (${classes.slice(0, 3).join(', ')}) and the loss compares numbers`, {
      place: { file: path },
      remedy: 'give numbers, or use --loss cross-entropy',
    })
  return splitsOf(`csv:${path}`, { train: { x, y, file: path } }, { ...options, classes: options.classes ?? classes })
}

/** A string of JavaScript takes no more, and a larger table is read many times faster from an npz file. */
const mostBytes = 2 ** 29 - 32

const textOf = (bytes: Uint8Array, file: string): string => {
  if (bytes.length > mostBytes)
    throw new FormatError(`the table takes ${bytes.length} bytes, more than 512 MiB`, {
      place: { file },
      remedy: 'save it with numpy.savez and give npz:FILE',
    })
  return new TextDecoder().decode(bytes)
}

/** More columns are a file without line breaks. */
const mostColumns = 2 ** 20

const labelNames = ['label', 'class', 'y', 'target']

/** Columns that together are what a sample is to give: y1 and y2, target_x and target_y … */
const isTargetName = (name: string) => /^(label|y|target)(\d+|[_.:\- ].+)$/.test(name)

/**
 * Reads a table: comma, semicolon or tab between fields, fields quoted where they hold one, a first row of names or
 * none. The label column is called label, class, y or target, or is the last one. Labels that are not all
 * numbers are names, numbered in alphabetical order. Several columns called y1, y2 …, or target_ and label_ with a name behind,
 * are numbers to be met: y is [rows, columns] then, and `classes` are the columns' names.
 */
export const parseTable = (
  text: string,
  file: string,
): { x: Tensor; y: Tensor; classes: readonly string[] | undefined } => {
  const fail = (what: string, line?: number) =>
    new FormatError(line === undefined ? what : `line ${line}: ${what}`, {
      place: { file },
      remedy: 'correct the table',
    })
  const rows = [...rowsOf(text.replace(/^\uFEFF/, ''), fail)]
  const first = rows[0]
  if (!first) throw fail('the table is empty')

  const names = first.fields.map((field) => field.trim().toLowerCase())
  const several = names.flatMap((name, i) => (isTargetName(name) ? [i] : []))
  const named = names.findIndex((name) => labelNames.includes(name))
  // Without such a name, a first row that has text where the second has a number is one of names.
  const hasHeader =
    named >= 0 ||
    several.length > 0 ||
    first.fields.some((field, i) => !isNumber(field) && isNumber(rows[1]?.fields[i] ?? ''))
  const samples = hasHeader ? rows.slice(1) : rows
  const columns = first.fields.length
  const answers = new Set(several.length > 0 ? several : [named >= 0 ? named : columns - 1])
  if (columns <= answers.size) throw fail('a table needs a column of labels and one of numbers at least')
  if (samples.length === 0) throw fail('the table has no rows but its names')

  const values = new Float32Array(samples.length * (columns - answers.size))
  const labels: string[] = []
  let at = 0
  for (const { fields, line } of samples) {
    if (fields.length !== columns) throw fail(`${fields.length} fields where the first row has ${columns}`, line)
    for (const [i, field] of fields.entries()) {
      const isAnswer = answers.has(i)
      if (isAnswer && field.trim() === '') throw fail('the label is missing', line)
      if (isAnswer && answers.size === 1) labels.push(field.trim())
      else if (!isNumber(field))
        throw fail(`'${field.slice(0, 40)}' in column ${hasHeader ? `'${first.fields[i]}'` : i + 1} is no number`, line)
      else if (isAnswer) labels.push(field)
      else values[at++] = Number(field)
    }
  }
  const x = float32([samples.length, columns - answers.size], values)
  if (answers.size > 1) {
    const classes = several.map((i) => first.fields[i]!.trim())
    const twice = classes.find((name, i) => classes.indexOf(name) !== i)
    if (twice !== undefined) throw fail(`two columns of answers are called '${twice}'`, first.line)
    return { x, y: float32([samples.length, answers.size], labels.map(Number)), classes }
  }
  const classes = labels.every(isNumber) ? undefined : [...new Set(labels)].sort()
  const numberOf = new Map(classes?.map((name, i) => [name, i]))
  const numbers = labels.map((name) => numberOf.get(name) ?? Number(name))
  return { x, y: float32([samples.length], numbers), classes }
}

const isNumber = (field: string) => field.trim() !== '' && Number.isFinite(Number(field))

/** The rows that are not empty, as fields (RFC 4180: quotes are doubled inside quotes, which may span lines). */
function* rowsOf(
  text: string,
  fail: (what: string, line: number) => Error,
): Generator<{ fields: string[]; line: number }> {
  const separator = separatorOf(text, fail)
  const ends = new Set([separator, '\r', '\n'])
  let fields: string[] = []
  let line = 1
  let begin = 1
  for (let at = 0; at <= text.length; ) {
    let field = ''
    while (text[at] === '"') {
      const close = text.indexOf('"', at + 1)
      if (close < 0) throw fail('a quote is never closed', begin)
      // A quote right after a closing one is a quote inside the field.
      field += `${field && '"'}${text.slice(at + 1, close)}`
      at = close + 1
    }
    line += field.split('\n').length - 1
    let end = at
    while (end < text.length && !ends.has(text[end]!)) end++
    if (fields.push(field + text.slice(at, end)) > mostColumns) throw tooWide(fail, begin)
    at = end + 1
    if (text[end] === separator) continue
    if (text[end] === '\r' && text[at] === '\n') at++
    if (fields.length > 1 || fields[0]?.trim()) yield { fields, line: begin }
    fields = []
    begin = ++line
  }
}

const tooWide = (fail: (what: string, line: number) => Error, line: number) =>
  fail(`more than ${mostColumns} columns; is it a table of one line?`, line)

/** What occurs most often in the first line. */
const separatorOf = (text: string, fail: (what: string, line: number) => Error): string => {
  const counts = new Map([',', ';', '\t'].map((separator) => [separator, 0]))
  for (let at = 0; at < text.length && text[at] !== '\r' && text[at] !== '\n'; at++) {
    const count = counts.get(text[at]!)
    if (count === undefined) continue
    if (count >= mostColumns) throw tooWide(fail, 1)
    counts.set(text[at]!, count + 1)
  }
  return [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0]
}
