import { startReporting } from './report.ts'

// What a watched command runs in: the same program, which its parent hears of.
startReporting()
await import('../work.ts')
