import { listenForSignals } from './interrupt.ts'
import { guardedStreams } from './streams.ts'

const interrupt = listenForSignals(process)
const { streams, end } = guardedStreams(process)
// Loading it takes a while, in which a signal counts already.
const { run } = await import('./run.ts')
const code = await end(await run(process.argv.slice(2), streams, interrupt))
process.exitCode = code
// Work that a signal has ended may still be under way.
if (code > 128) process.exit()
