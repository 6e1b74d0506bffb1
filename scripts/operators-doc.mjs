// Writes docs/operators.md from the operators' table: `npm run build && node scripts/operators-doc.mjs [DIST]`.
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const dist = process.argv[2] ? pathToFileURL(`${process.argv[2]}/`) : new URL('../dist/', import.meta.url)
const { free, fusedRows, lowerings, operators, stops, treatmentOf, unknown, withoutRow } = await import(
  new URL('operators/index.js', dist).href
)

const states = new Map([
  [stops, 'none: its outputs do not vary smoothly'],
  [unknown, 'missing'],
])
const pruned = (name) => {
  const { treatment, approximate } = treatmentOf(name)
  return approximate ? `${treatment}, some on request` : treatment
}
const ofRow = ([name, { gradient, macs }]) => [
  name,
  states.get(gradient) ?? 'yes',
  pruned(name),
  macs === free ? '–' : 'counted',
]
const fused = (domain) =>
  [...new Set([...Object.keys(lowerings[domain]), ...Object.keys(fusedRows[domain])])].map((name) => {
    const gradient = name in lowerings[domain] ? 'yes, by its plain form' : 'missing'
    const row = fusedRows[domain][name]
    return row ? [name, gradient, ...ofRow([name, row]).slice(2)] : [name, gradient, 'freezes', '–']
  })
const rest = Object.entries(withoutRow).map(([name, reason]) => [name, reason, 'freezes', '–'])
const byName = ([a], [b]) => (a < b ? -1 : 1)
const table = (rows) =>
  rows
    .sort(byName)
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')

const rows = Object.entries(operators).map(ofRow)
const own = [...rows, ...fused(''), ...rest]
const yes = own.filter(([, gradient]) => gradient.startsWith('yes')).length
const head = '| operator | gradient | pruning | MACs |\n|---|---|---|---|'

writeFileSync(
  new URL('../docs/operators.md', import.meta.url),
  `# Operators

All of ONNX's own operators up to opset 21, and a few newer ones: ${rows.length} of them have a row in the table, and ${yes} pass
gradients on. No gradient goes through those whose outputs do not vary smoothly with any input (comparisons, indices, shapes,
rounding), and none is needed. On the way from a trainable weight to the loss, an operator that should have a gradient and has
none is an error that names node and operator before any step runs; elsewhere it is no obstacle.

Pruning: an operator that *joins* ties index i of an axis to index i of another, one that *re-maps* ties it to others or has its
sizes rewritten, one that *freezes* keeps all it touches, with a reason. Those that join or re-map still freeze single axes
(a softmax's own, a pool's positions). *On request*: features a normalization takes statistics over go only with
\`--approximate\`. The axes of an operator without a row are frozen.

A weight that several layers read stays tied, and they lose the same slices of it: an embedding that is the output layer too. A
vector that several read is only stored once, as PyTorch's exporter stores the equal biases of fresh layers, some passed on
through Identities. Each reader loses slices of its own; the file gets a copy (\`copies\` in the plan) where they differ.

Made by \`npm run build && node scripts/operators-doc.mjs\`. Every gradient is held against finite differences
(\`src/operators/cases\`), and so are those of ONNX's own test models (\`src/autodiff/testdata.test.ts\`).

${head}
${table(own)}

## Fused operators

Of the domain \`com.microsoft\`, as ONNX Runtime's optimizer and exporters write them. Attention with a cache of past words is
refused for gradients; pruning takes whole heads, and leaves such attention alone unless it is grouped. \`Gradient\` of ONNX's
\`ai.onnx.preview.training\` is written in plain operators too.

${head}
${table(fused('com.microsoft'))}
`,
)
