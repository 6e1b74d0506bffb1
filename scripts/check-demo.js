// Runs the demo as `npm start` does, into an empty folder, and holds what it left to the figures the project promises: six
// files, a proven plan, at least 98.8 % before pruning, and after it a quarter of the bytes at 0.2 points less at most.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const main = join(import.meta.dirname, '../dist/cli/main.js')
const folder = mkdtempSync(join(tmpdir(), 'espalier-demo-'))
const at = (name) => join(folder, name)
const espalier = (...args) =>
  execFileSync(process.execPath, [main, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

const problems = []
const expect = (holds, what) => {
  if (!holds) problems.push(what)
}

try {
  const printed = JSON.parse(espalier('demo', '--out', folder, '--json'))
  for (const name of ['original.onnx', 'pruned.onnx', 'retrained.onnx', 'plan.json', 'summary.json', 'report.html'])
    expect(existsSync(at(name)), `${name} is missing`)
  const summary = JSON.parse(readFileSync(at('summary.json'), 'utf8'))
  expect(JSON.stringify(summary) === JSON.stringify(printed), 'what was printed is not what was written')
  const { original, pruned, retrained, seconds } = summary
  for (const [name, stage] of Object.entries({ original, pruned, retrained })) {
    for (const figure of ['accuracy', 'bytes', 'parameters', 'macs', 'latencyMs'])
      expect(stage?.[figure] > 0, `${name} has no ${figure}`)
    console.log(`${name}: accuracy ${stage.accuracy}, ${stage.bytes} bytes, ${stage.macs} MACs`)
  }
  console.log(`${Math.round(seconds)} seconds`)
  expect(original.accuracy >= 0.988, `the original is right in ${original.accuracy} only`)
  expect(retrained.bytes <= original.bytes / 4, `${retrained.bytes} bytes of ${original.bytes} are left`)
  expect(retrained.accuracy >= original.accuracy - 0.002, `${original.accuracy} fell to ${retrained.accuracy}`)
  espalier('verify', at('original.onnx'), at('pruned.onnx'), '--plan', at('plan.json'))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const problem of problems) console.error(problem)
process.exit(problems.length === 0 ? 0 : 1)
