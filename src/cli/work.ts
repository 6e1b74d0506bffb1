import { run } from './run.ts'

// A reader that closes early (| head) is no error.
process.stdout.on('error', () => process.exit(0))
process.exitCode = await run(process.argv.slice(2), process)
