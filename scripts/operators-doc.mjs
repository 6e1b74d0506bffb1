// Writes docs/operators.md from the operators' table: `npm run build && node scripts/operators-doc.mjs`.
import { writeFileSync } from 'node:fs'
import { free, operators, stops, unknown } from '../dist/operators/index.js'

const rows = Object.entries(operators).sort(([a], [b]) => (a < b ? -1 : 1))
const differentiable = rows.filter(([, { gradient }]) => gradient !== stops && gradient !== unknown)
const said = (gradient) => (gradient === stops || gradient === unknown ? gradient : 'yes')
const line = ([name, { gradient, macs, resize }]) =>
  `| ${name} | ${said(gradient)} | yes${resize ? ', rewritten when cut' : ''} | ${macs === free ? '–' : 'counted'} |`

writeFileSync(
  new URL('../docs/operators.md', import.meta.url),
  `# Operators

${rows.length} operators of ONNX's own domain have a row in the table; ${differentiable.length} of them pass gradients on. *stops* marks those
whose outputs do not vary smoothly with any input (comparisons, indices, shapes, rounding): no gradient goes through them, and
none is needed. *unknown* marks one whose gradient is missing. On the way from a trainable weight to the loss such an operator,
or one without a row, is an error that names the node before any step runs; elsewhere it is no obstacle. The axes of an operator
without a row are frozen for pruning.

Made by \`npm run build && node scripts/operators-doc.mjs\`.

| operator | gradient | axes | MACs |
|---|---|---|---|
${rows.map(line).join('\n')}
`,
)
