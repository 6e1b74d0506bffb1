// Checks one exported network and prints what was found as one line of JSON: node scripts/networks/check.mjs FOLDER/NAME
//
// gradients.onnx: the largest relative error of any parameter's gradient against PyTorch's.
// model.onnx: half of every group's units removed, held against the masked original (two batch sizes), pruned and proven a
// second time; the same with approximate groups, which must run; costs, and what is frozen for which reason.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { gradientParity } from '../../dist/autodiff/index.js'
import { readSafetensors } from '../../dist/formats/node.js'
import { readModel } from '../../dist/onnx/file.js'
import {
  analyzeModel,
  applyPlan,
  costOf,
  planPruning,
  prunableMacs,
  pruneModel,
  verifyPlan,
} from '../../dist/prune/index.js'
import { nodeRuntime as runtime } from '../../dist/runtime/node.js'

const half = { runtime, target: { ratio: 0.5 } }

const since = (began) => (performance.now() - began) / 1000

const checkGradients = async (path) => {
  const model = await readModel(`${path}.onnx`)
  const recorded = await readSafetensors(`${path}.safetensors`)
  const began = performance.now()
  const { parameters } = await gradientParity(runtime, model, recorded)
  const worst = parameters.reduce((a, b) => (b.error > a.error || Number.isNaN(b.error) ? b : a))
  const { single, rounding } = recorded.metadata
  return {
    parameters: parameters.length,
    error: worst.error,
    worst: worst.name,
    single: Number(single),
    rounding: Number(rounding),
    seconds: since(began),
  }
}

const prove = async (model, pruned, plan) => {
  const proof = await verifyPlan(model, pruned, plan, { runtime })
  if (proof.changed.length > 0) throw new Error(`${proof.changed[0].initializer}: ${proof.changed[0].reason}`)
  return proof
}

const checkPruning = async (file) => {
  const model = await readModel(file)
  const began = performance.now()
  const analysis = await analyzeModel(model, half)
  const plan = planPruning(model, analysis, half)
  const pruned = applyPlan(model, plan, analysis)
  const seconds = since(began)
  const share = prunableMacs(analysis)
  const roughShare = prunableMacs(analysis, { approximate: true })
  const frozen = reasonsOf(analysis.frozen.map(({ reason }) => reason))
  const inexact = reasonsOf(analysis.groups.flatMap(({ approximate }) => approximate ?? []))
  const first = await prove(model, pruned, plan)
  const [before, after] = [await costOf(model, { runtime }), await costOf(pruned, { runtime })]
  const again = await pruneModel(pruned, half)
  const second = await prove(pruned, again.model, again.plan)
  // Approximate groups have no equality to hold; the result must run.
  const roughly = planPruning(model, analysis, { ...half, approximate: true })
  const rough = await costOf(applyPlan(model, roughly, analysis), { runtime })
  return {
    seconds,
    difference: Math.max(first.difference, second.difference),
    batches: [...new Set(first.outputs.map(({ batch }) => batch))],
    choices: first.choices.length,
    before,
    after,
    rough,
    share,
    roughShare,
    frozen,
    inexact,
  }
}

/** Reasons with how often each is given, the node's name left out. */
const reasonsOf = (reasons) => {
  const counts = new Map()
  for (const reason of reasons) {
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
    return await work()
  } catch (error) {
    return { failure: String(error.message ?? error).split('\n')[0] }
  }
}

const folder = process.argv[2]
if (folder === undefined) {
  console.error('usage: node scripts/networks/check.mjs FOLDER/NAME')
  process.exit(2)
}
const [file, gradients] = [join(folder, 'model.onnx'), join(folder, 'gradients')]
const found = {
  ...(existsSync(`${gradients}.safetensors`) ? { gradients: await attempt(() => checkGradients(gradients)) } : {}),
  ...(existsSync(file) ? { pruning: await attempt(() => checkPruning(file)) } : {}),
}
console.log(JSON.stringify({ ...found, peakBytes: process.resourceUsage().maxRSS * 1024 }))
