import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EspalierError, UsageError } from '../../base/index.ts'
import { pruneModel } from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { byteText, type Console, table } from '../console.ts'
import { loadModel } from '../models.ts'
import { median } from './median.ts'

/** The median of five runs of analysis, plan and surgery, and the most memory the process took, the file included. */
type Row = { readonly network: string; readonly ms: number; readonly groups: number; readonly peakBytes: number }

/** Times pruning. A process's memory has one peak, so each of several models is pruned in a process of its own. */
export const benchPrune = async (names: readonly string[], console: Console): Promise<{ rows: Row[] }> => {
  const rows: Row[] = []
  for (const name of names) rows.push(names.length > 1 ? await measuredApart(name) : await measured(name))
  console.say('analysis, plan and surgery at a ratio of 0.5; peak memory of a process that prunes nothing else')
  console.say(
    table(
      ['network', 'groups', 'ms', 'peak memory'],
      rows.map((row) => [row.network, String(row.groups), row.ms.toFixed(1), byteText(row.peakBytes)]),
    ),
  )
  return { rows }
}

const measured = async (network: string): Promise<Row> => {
  const { model } = await loadModel(network)
  const times = []
  let groups = 0
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    const { plan } = await pruneModel(model, { runtime: nodeRuntime, target: { ratio: 0.5 } })
    times.push(performance.now() - start)
    groups = plan.groups.length
  }
  return { network, ms: median(times), groups, peakBytes: process.resourceUsage().maxRSS * 1024 }
}

/** The built command line: a process starts from a JavaScript file, in development too. */
const main = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../../dist/cli/main.js' : '../main.js', import.meta.url),
)

const measuredApart = async (network: string): Promise<Row> => {
  const words = [main, 'bench', 'prune', '--network', network, '--json']
  const { stdout } = await promisify(execFile)(process.execPath, words).catch(
    (error: { code?: number; stderr?: string }) => {
      const Kind = error.code === 2 ? UsageError : EspalierError
      throw new Kind(error.stderr?.trim().replace(/^espalier: /, '') || `pruning '${network}' ended early`)
    },
  )
  const { rows }: { rows: [Row] } = JSON.parse(stdout)
  return rows[0]
}
