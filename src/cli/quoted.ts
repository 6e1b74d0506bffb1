/** As a shell takes it for one word. */
export const quoted = (word: string): string =>
  /^[\w.,:=/@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`

/** The command line that goes on with an interrupted run, in the words that started it. */
export const resumingLine = (argv: readonly string[]): string => {
  const dashes = argv.indexOf('--')
  const end = dashes < 0 ? argv.length : dashes
  const flags = argv.slice(0, end).filter((word) => word !== '--resume' && word !== '--overwrite')
  return ['espalier', ...flags, '--resume', ...argv.slice(end)].map(quoted).join(' ')
}
