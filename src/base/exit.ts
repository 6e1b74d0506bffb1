import { rmSync } from 'node:fs'

const paths = new Set<string>()

const removeAll = () => {
  for (const path of paths) rmSync(path, { force: true })
}

/**
 * Removes a file when the process exits before `keep` is called, as it does on a signal. What a killed process leaves is
 * found by its name.
 */
export const removeAtExit = (path: string): { keep(): void } => {
  if (paths.size === 0) process.on('exit', removeAll)
  paths.add(path)
  return {
    keep() {
      paths.delete(path)
      if (paths.size === 0) process.off('exit', removeAll)
    },
  }
}
