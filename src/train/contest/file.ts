import { appendFile, readFile } from 'node:fs/promises'
import { writeFileAtomic } from '../../base/files.ts'
import { EspalierError, messageOf } from '../../base/index.ts'
import type { TrialResult } from './trial.ts'

/** A contest's results in a file of JSON lines: what is in it already, and how to put a further one behind. */
export type ResultsFile = {
  readonly known: readonly TrialResult[]
  save(result: TrialResult): Promise<void>
}

/** Opens it, or begins one. A last line that a kill cut short is dropped: its run is made again. */
export const openResults = async (path: string): Promise<ResultsFile> => {
  const text = await readFile(path, 'utf8').catch(() => '')
  const known = text.split('\n').flatMap(resultOf)
  await writeFileAtomic(path, known.map(lineOf).join(''))
  return {
    known,
    async save(result) {
      await appendFile(path, lineOf(result)).catch((error: unknown) => {
        throw new EspalierError(`cannot write: ${messageOf(error)}`, {
          place: { file: path },
          remedy: 'check that the disk has room, then run the same command again: it goes on',
          cause: error,
        })
      })
    },
  }
}

const lineOf = (result: TrialResult): string => `${JSON.stringify(result)}\n`

const resultOf = (line: string): TrialResult[] => {
  try {
    const parsed: TrialResult = JSON.parse(line)
    return typeof parsed.accuracy === 'number' && Array.isArray(parsed.curve) ? [parsed] : []
  } catch {
    return []
  }
}
