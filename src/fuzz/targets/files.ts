import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kindOf } from '../../formats/index.ts'
import type { Attempt } from '../target.ts'

/** A case about one file; with a `folder` it is written there first, for readers that take a path. */
export const fileCase = (
  name: string,
  bytes: Uint8Array,
  run: (bytes: Uint8Array, path: string) => Promise<string> | string,
  folder?: string,
): Attempt => ({
  files: { [name]: bytes },
  run: () => {
    // What kind of file it is must be told of any bytes.
    kindOf({ head: bytes.subarray(0, 4096), tail: bytes.subarray(-8), size: bytes.length })
    const path = join(folder ?? '', name)
    if (folder !== undefined) writeFileSync(path, bytes)
    return run(bytes, path)
  },
})
