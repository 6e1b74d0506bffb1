// Checks every network of a folder made by scripts/export-networks.py and writes the tables of docs/networks.md.
//
//   npm run build && node scripts/check-networks.mjs FOLDER [--only NAME,NAME] [--out docs/networks.md]
//
// For FOLDER/gradients/NAME: the largest relative error of any parameter's gradient against PyTorch's.
// For FOLDER/NAME.onnx: half of every group's units removed, held against the masked original (two batch sizes), pruned and
// proven a second time; the same with approximate groups, which must run; costs, and what is frozen for which reason.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gradientParity } from '../dist/autodiff/index.js'
import { writeFileAtomic } from '../dist/base/files.js'
import { readSafetensors } from '../dist/formats/node.js'
import { readModel } from '../dist/onnx/file.js'
import {
  analyzeModel,
  applyPlan,
  costOf,
  planPruning,
  prunableMacs,
  pruneModel,
  verifyPlan,
} from '../dist/prune/index.js'
import { nodeRuntime as runtime } from '../dist/runtime/node.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, out: { type: 'string' } },
})
const folder = positionals[0]
if (folder === undefined) {
  console.error('usage: node scripts/check-networks.mjs FOLDER [--only NAME,NAME] [--out FILE]')
  process.exit(2)
}

const tolerances = { gradient: 1e-3, prune: 1e-4 }
const half = { runtime, target: { ratio: 0.5 } }

/** On the first of the recorded inputs that stays within the bound, else the best: a kink near one input is not near all. */
const checkGradients = async (name) => {
  const path = join(folder, 'gradients', name)
  const cases = ['', '.1', '.2'].map((suffix) => `${path}${suffix}.safetensors`).filter((file) => existsSync(file))
  if (cases.length === 0) return undefined
  const model = await readModel(`${path}.onnx`)
  const began = performance.now()
  let best
  for (const [i, file] of cases.entries()) {
    const recorded = await readSafetensors(file)
    const { parameters } = await gradientParity(runtime, model, recorded)
    const worst = parameters.reduce((a, b) => (b.error > a.error || Number.isNaN(b.error) ? b : a))
    const found = { error: worst.error, single: recorded.metadata.single ?? '', worst: worst.name, tried: i + 1 }
    if (!best || found.error < best.error) best = { ...found, parameters: parameters.length }
    best.tried = found.tried
    if (best.error <= tolerances.gradient) break
  }
  return { ...best, seconds: since(began) / best.tried }
}

const since = (began) => (performance.now() - began) / 1000

const prove = async (model, pruned, plan) => {
  const proof = await verifyPlan(model, pruned, plan, { runtime })
  if (proof.changed.length > 0) throw new Error(`${proof.changed[0].initializer}: ${proof.changed[0].reason}`)
  return proof
}

const checkPruning = async (name) => {
  const model = await readModel(join(folder, `${name}.onnx`))
  const began = performance.now()
  const analysis = await analyzeModel(model, half)
  const plan = planPruning(model, analysis, half)
  const pruned = applyPlan(model, plan, analysis)
  const seconds = since(began)
  const first = await prove(model, pruned, plan)
  const [before, after] = [await costOf(model, { runtime }), await costOf(pruned, { runtime })]
  const again = await pruneModel(pruned, half)
  const second = await prove(pruned, again.model, again.plan)
  // Approximate groups have no equality to hold; the result must run.
  const rough = await pruneModel(model, { ...half, approximate: true })
  await costOf(rough.model, { runtime })
  return {
    seconds,
    difference: Math.max(first.difference, second.difference),
    batches: [...new Set(first.outputs.map(({ batch }) => batch))],
    before,
    after,
    rough: await costOf(rough.model, { runtime }),
    share: prunableMacs(analysis),
    roughShare: prunableMacs(analysis, { approximate: true }),
    frozen: frozenReasons(analysis.frozen),
  }
}

/** Reasons with the numbers of axes, the node's name left out. */
const frozenReasons = (frozen) => {
  const counts = new Map()
  for (const { reason } of frozen) {
    const plain = reason
      .replace(/ '[^']*'/g, '')
      .replace(/\(node\)/, '')
      .trim()
    counts.set(plain, (counts.get(plain) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a)
}

const attempt = async (work) => {
  try {
    return { result: await work() }
  } catch (error) {
    return { failure: String(error.message ?? error).split('\n')[0] }
  }
}

const listed = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.onnx')) : []
const names = values.only?.split(',') ?? listed.map((file) => file.slice(0, -5)).sort()
const rows = []
for (const name of names) {
  const gradients = await attempt(() => checkGradients(name))
  const pruning = await attempt(() => checkPruning(name))
  rows.push({ name, gradients, pruning })
  console.log(`${name}: ${summary(gradients, pruning)}`)
}

function summary({ result: g, failure: noGradient }, { result: p, failure: noPrune }) {
  const gradient =
    noGradient ??
    (g
      ? `gradients ${g.error.toExponential(1)} (${g.worst}; PyTorch ${g.single}, ${g.tried} tried)`
      : 'no recorded gradients')
  const prune =
    noPrune ??
    `pruned in ${p.seconds.toFixed(2)} s, difference ${p.difference.toExponential(1)}, share ${percent(p.share)} (${percent(p.roughShare)}), MACs ${percent(p.after.macs / p.before.macs)}; ${p.frozen.map(([reason, n]) => `${n}× ${reason}`).join('; ')}`
  return `${gradient}; ${prune}`
}

function percent(share) {
  return `${(100 * share).toFixed(0)} %`
}

const millions = (n) => (n / 1e6).toFixed(2)

const gradientRow = ({ name, gradients: { result, failure } }) =>
  failure
    ? `| ${name} | | fails: ${failure} | | | |`
    : result
      ? `| ${name} | ${result.parameters} | ${result.error.toExponential(1)}${result.error <= tolerances.gradient ? '' : ` (**above ${tolerances.gradient}**, \`${result.worst}\`)`} | ${result.single} | ${result.tried} | ${result.seconds.toFixed(1)} |`
      : undefined

const pruneRow = ({ name, pruning: { result: p, failure } }) =>
  failure
    ? `| ${name} | fails: ${failure} | | | | | | |`
    : `| ${name} | ${p.difference.toExponential(1)}${p.difference <= tolerances.prune ? '' : ' (**too far**)'} | ${p.seconds.toFixed(2)} | ${millions(p.before.parameters)} → ${millions(p.after.parameters)} | ${millions(p.before.macs)} → ${millions(p.after.macs)} | ${percent(p.share)} | ${percent(p.roughShare)} | ${millions(p.rough.macs)} |`

const frozenRow = ({ name, pruning: { result } }) =>
  result && `| ${name} | ${result.frozen.map(([reason, n]) => `${n}× ${reason}`).join('; ')} |`

const table = (head, lines) =>
  [head, head.replace(/[^|]+/g, '---'), ...lines.filter((line) => line !== undefined)].join('\n')

if (values.out)
  await writeFileAtomic(
    values.out,
    `# Networks exported by PyTorch

Made by

    /usr/bin/python3 scripts/export-networks.py FOLDER
    npm run build && node scripts/check-networks.mjs FOLDER --out ${values.out}

Torchvision's families and networks of today's shapes (\`scripts/own_networks.py\`), random weights, small inputs.

## Gradients

The largest ‖g − ref‖ ÷ ‖ref‖ of any parameter against PyTorch in double precision; ${tolerances.gradient} is the bound. Beside it
PyTorch's own largest error when it computes in single precision as we do: where a ReLU's input is as small as a rounding error,
or two maxima nearly tie, a gradient may take the other side, and one such place shows in the parameters before it. Where the
bound is passed on one input the next of three is tried: a wrong rule would be wrong on all.

${table('| network | parameters compared | largest error | PyTorch in single precision | inputs tried | seconds |', rows.map(gradientRow))}

## Pruning

Half the units of every exact group removed. The difference is between the original with the removed slices set to zero and
the pruned model, at batch 1 and 3, after the first prune and after pruning the result once more; ${tolerances.prune} is the
bound. Seconds are those of analysis, plan and cut. "Share" is the part of the multiply–accumulates in nodes that pruning can
make cheaper, first with exact groups, then with approximate ones too (residual streams that pass LayerNorm), and the last
column is what is left when those lose half as well. Parameters and MACs in millions.

${table('| network | difference | seconds | parameters | MACs | share | with approximate | MACs then |', rows.map(pruneRow))}

## What is frozen, and why

Axes of weights of which nothing can be removed.

${table('| network | axes and reasons |', rows.map(frozenRow))}
`,
  )

const failed = rows.filter(
  ({ gradients: g, pruning: p }) =>
    g.failure ||
    p.failure ||
    !(p.result.difference <= tolerances.prune) ||
    (g.result && !(g.result.error <= tolerances.gradient)),
)
if (failed.length > 0) {
  console.error(`not as they must be: ${failed.map(({ name }) => name).join(', ')}`)
  process.exit(1)
}
