import { UsageError } from '../base/index.ts'
import type { ModelSource, Runtime, Session, SessionOptions } from './types.ts'

export type SessionCacheOptions = SessionOptions & {
  /** Most sessions kept open; the one unused for longest is closed first. 8 unless said. */
  limit?: number
}

/** Sessions kept open under keys, all on one runtime with one set of options. */
export type SessionCache = {
  /**
   * The session under `key`, opened from what `build` gives when there is none. A key is a text (say, a batch's shape) or
   * an object taken by identity (the model itself). Ask again before each use: one that fell out of the cache is closed.
   */
  open(key: string | object, build: () => ModelSource | Promise<ModelSource>): Promise<Session>
  /** How many are open. */
  readonly size: number
  /** Closes them all; the cache can be used again. */
  close(): Promise<void>
}

/** Keeps the sessions used last open, `limit` of them (8); a model asked for again is not opened again. */
export const sessionCache = (runtime: Runtime, { limit = 8, ...options }: SessionCacheOptions = {}): SessionCache => {
  if (!(Number.isInteger(limit) && limit > 0))
    throw new UsageError(`limit must be a whole number above 0, not ${limit}`)
  /** Oldest use first: a Map keeps the order in which keys were set. */
  const sessions = new Map<string | object, Promise<Session>>()

  const drop = async (key: string | object) => {
    const opening = sessions.get(key)
    sessions.delete(key)
    // One that failed to open was reported to whoever asked for it.
    const session = await opening?.catch(() => undefined)
    await session?.close()
  }

  return {
    async open(key, build) {
      const found = sessions.get(key)
      const opening = found ?? Promise.resolve(build()).then((model) => runtime.open(model, options))
      sessions.delete(key)
      sessions.set(key, opening)
      const oldest = sessions.size > limit ? sessions.keys().next().value : undefined
      try {
        const [session] = await Promise.all([opening, oldest === undefined ? undefined : drop(oldest)])
        return session
      } catch (error) {
        if (sessions.get(key) === opening) sessions.delete(key)
        throw error
      }
    },
    get size() {
      return sessions.size
    },
    async close() {
      await Promise.all([...sessions.keys()].map(drop))
    },
  }
}
