import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { inferredWork } from '../../prune/index.ts'
import type { Limits } from '../limits/limits.ts'
import { crashText, exceededText } from '../limits/parent.ts'
import { watch } from '../limits/watch.ts'
import type { sayGroups } from '../prune/groups.ts'

type Work = Awaited<ReturnType<typeof inferredWork>>
type Groups = { readonly text: string; readonly document: Awaited<ReturnType<typeof sayGroups>> }

/** What the process of the engine sends. */
export type Finding =
  | { readonly work: Work }
  | { readonly groups: Groups }
  | { readonly failed: 'work' | 'groups'; readonly reason: string }

/** What was found out about a model with the engine's help; a reason in place of what was not. */
export type Findings = { readonly work: Work | string; readonly groups: Groups | string }

/** From source (in tests) the built file is started, since Node 20 runs no TypeScript. */
const childFile = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/cli/inspect/engine.child.js' : './engine.child.js',
  import.meta.url,
)

/**
 * Looks into a model with the engine, in a process of its own: opening a file already computes what follows from its
 * constants, which can take any time and memory. It is started at once, while the file is read here.
 */
export const startEngine = (file: string, groups: boolean) => {
  const child = fork(fileURLToPath(childFile), groups ? [file, 'groups'] : [file], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc', 'pipe'],
  })
  const found: { work?: Work | string; groups?: Groups | string } = {}
  child.on('message', (finding: Finding) => {
    if ('work' in finding) found.work = finding.work
    if ('groups' in finding) found.groups = finding.groups
    if ('failed' in finding) found[finding.failed] = finding.reason
  })
  return {
    /** Waits for what it finds within limits. */
    async within(limits: Limits): Promise<Findings> {
      const ending = await watch(child, limits).ended
      const reason = ending.exceeded
        ? exceededText(ending.exceeded)
        : ending.signal
          ? crashText({ ...ending, signal: ending.signal })
          : 'the engine gave no answer'
      return { work: found.work ?? reason, groups: found.groups ?? reason }
    },
    stop: () => child.kill('SIGKILL'),
  }
}
