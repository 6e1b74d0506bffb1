import type { Random } from '../../base/index.ts'
import { parseTable } from '../../data/sources/csv.ts'
import { mutate, mutateText, pick } from '../mutate.ts'
import { checkTensor, readOrRefused } from '../reading.ts'
import { ensure, type Target } from '../target.ts'
import { fileCase } from './files.ts'

/** A table with or without names, with labels as numbers or names, or several columns of answers. */
const tableOf = (dice: Random): string => {
  const separator = pick([',', ';', '\t'], dice)
  const columns = 1 + dice.below(4)
  const answers = pick([['label'], ['class'], ['y1', 'y2'], ['target_a', 'target_b'], []], dice)
  const quoted = (text: string) => (dice.below(6) ? text : `"${text.replace(/"/g, '""')}"`)
  const names = [...Array.from({ length: columns }, (_, i) => `x${i}`), ...answers].map(quoted)
  const row = () =>
    names.map((_, i) =>
      quoted(i < columns || answers.length > 1 ? String(dice.normal()) : pick(['0', '1', 'cat', 'a "b"'], dice)),
    )
  const rows = Array.from({ length: dice.below(8) }, row)
  return [...(dice.below(4) ? [names] : []), ...rows]
    .map((fields) => fields.join(separator))
    .join(pick(['\n', '\r\n'], dice))
}

export const csv: Target = {
  name: 'csv',
  what: 'tables with words changed, dropped or doubled, and with damaged bytes',
  short: 300,
  limits: { seconds: 20, megabytes: 256 },
  open: async () => ({
    attempt: (dice) => {
      const text = mutateText(tableOf(dice), dice)
      const whole = new TextEncoder().encode(text)
      const bytes = dice.below(3) ? whole : mutate(whole, dice)
      return fileCase('x.csv', bytes, () =>
        readOrRefused(
          () => parseTable(new TextDecoder().decode(bytes), 'x.csv'),
          ({ x, y, classes }) => {
            checkTensor(x, 'x')
            checkTensor(y, 'y')
            ensure(x.dims[0] === y.dims[0], `${x.dims[0]} rows of numbers and ${y.dims[0]} of answers`)
            ensure(classes === undefined || new Set(classes).size === classes.length, 'a class twice')
          },
        ),
      )
    },
  }),
}
