/** Commands that run a model, and so run in a process that can be ended. Listed here so that starting one loads no other code. */
export const watchedCommands: ReadonlySet<string> = new Set(['train', 'analyze', 'prune', 'verify', 'compare'])
