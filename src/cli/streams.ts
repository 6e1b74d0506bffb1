import { fstatSync, writeFileSync } from 'node:fs'
import type { Streams } from './console.ts'

/** A stream that stops being written to at its first error, which ends nothing by itself. */
type Guarded = {
  write(text: string): void
  /** Waits for what was written. @returns the error, where it is none of a reader that went away */
  settled(): Promise<NodeJS.ErrnoException | undefined>
}

/** Errors of a reader that went away, as `| head -3` does. A terminal that was closed fails with EIO. */
const isClosed = ({ code = '' }: NodeJS.ErrnoException, terminal: boolean) =>
  ['EPIPE', 'ECONNRESET', 'EOF', 'ERR_STREAM_DESTROYED'].includes(code) || (terminal && code === 'EIO')

const guard = (stream: NodeJS.WriteStream & { readonly fd: number }): Guarded => {
  let failure: NodeJS.ErrnoException | undefined
  const fail = (error: NodeJS.ErrnoException | null | undefined) => {
    failure ??= error ?? undefined
  }
  stream.on('error', fail)
  const toFile = !stream.isTTY && isFile(stream.fd)
  return {
    write(text) {
      if (failure) return
      try {
        // Unlike the stream, which takes a part that still fits on the disk for the whole.
        if (toFile) writeFileSync(stream.fd, text)
        else stream.write(text, fail)
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)))
      }
    },
    async settled() {
      if (!toFile && !failure) await new Promise<void>((done) => stream.write('', () => done()))
      return failure && !isClosed(failure, stream.isTTY) ? failure : undefined
    },
  }
}

/** Whether it is a file or a device such as /dev/full, both of which are written to at once. */
const isFile = (fd: number): boolean => {
  try {
    const stats = fstatSync(fd)
    return stats.isFile() || stats.isCharacterDevice()
  } catch {
    return false
  }
}

/**
 * A process's streams for output, of which none ends the work: a reader that goes away is no error, and any other error,
 * such as a full disk, is told in the end.
 */
export const guardedStreams = ({ stdout, stderr }: Pick<NodeJS.Process, 'stdout' | 'stderr'>) => {
  const [out, err] = [guard(stdout), guard(stderr)]
  const streams: Streams = {
    stdout: out,
    stderr: {
      write: err.write,
      get isTTY() {
        return stderr.isTTY
      },
      get columns() {
        return stderr.columns
      },
    },
  }
  return {
    streams,
    /** The exit code of work that ended with `code`, once all that it printed is written. */
    async end(code: number): Promise<number> {
      const failure = await out.settled()
      if (failure)
        err.write(
          `espalier: cannot write to the standard output: ${failure.message}; make room, or send it elsewhere (files that were named are kept)\n`,
        )
      await err.settled()
      return failure && code === 0 ? 1 : code
    },
  }
}
