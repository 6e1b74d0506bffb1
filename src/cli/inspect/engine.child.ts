import { messageOf } from '../../base/index.ts'
import { readModel } from '../../onnx/file.ts'
import { inferredWork } from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { makeConsole } from '../console.ts'
import { stage, startReporting } from '../limits/report.ts'
import { sayGroups } from '../prune/groups.ts'
import type { Finding } from './engine.ts'

// Finds what takes the engine, in a process that can be ended: `engine.child.js FILE [groups]`.
const [file = '', groups] = process.argv.slice(2)
startReporting()
const tell = (finding: Finding) =>
  new Promise<void>((told) => process.send?.(finding, undefined, undefined, () => told()))

const model = await readModel(file)
stage('shapes')
await inferredWork(model, { runtime: nodeRuntime }).then(
  (work) => tell({ work }),
  (error: unknown) => tell({ failed: 'work', reason: messageOf(error) }),
)
if (groups) {
  stage('groups')
  let text = ''
  const collect = { write: (more: string) => (text += more) }
  const console = makeConsole(false, { stdout: collect, stderr: collect })
  await sayGroups(model, console).then(
    (document) => tell({ groups: { text, document } }),
    (error: unknown) => tell({ failed: 'groups', reason: messageOf(error) }),
  )
}
process.disconnect?.()
