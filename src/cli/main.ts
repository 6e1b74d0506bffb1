#!/usr/bin/env node
import { watchedCommands } from './limits/commands.ts'

const [name = '', ...args] = process.argv.slice(2)
const asksHelp = args.some((word) => word === '--help' || word === '-h')
// This process stays small where another one does the work: it loads what watching takes, and nothing else.
if (watchedCommands.has(name) && !asksHelp) {
  const { runWatched } = await import('./limits/parent.ts')
  process.exitCode = await runWatched([name, ...args])
} else await import('./work.ts')
