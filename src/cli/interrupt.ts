/** Signals that ask a process to end, and the code it then exits with. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

export type Signal = keyof typeof exitCodes

/** Thrown by work that a signal has ended. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exitCode: number

  constructor(signal: Signal, what = 'interrupted') {
    super(what)
    this.exitCode = exitCodes[signal]
  }
}

/** What a command knows of signals. */
export type Interrupt = {
  /** Rejects with `Interrupted` when the work is to be left where it is. */
  readonly atOnce: Promise<never>
  /**
   * Runs work that ends by itself, its results saved, soon after its signal is aborted: only a second wish ends it at once.
   * @throws Interrupted when the signal came and the work returns what `ended` says is not the whole
   */
  orderly<T>(work: (signal: AbortSignal) => Promise<T>, ended: (result: T) => string | undefined): Promise<T>
  /** Called when the work is asked to end in order. */
  onAsked(listener: () => void): void
}

/**
 * Signals this close to the first are the same wish: Ctrl-C goes to all processes of a terminal, and those that start
 * others, as npm does, send it on.
 */
export const sameWish = 500

/** Where signals come from: a process, or what stands in for it. */
type Source = { on(signal: Signal, listener: () => void): unknown }

/** Listens to a process's signals. A second wish ends orderly work at once. */
export const listenForSignals = (process: Source): Interrupt => {
  const asked = new AbortController()
  let orderly = 0
  let first: { readonly signal: Signal; readonly at: number } | undefined
  let leave: (error: Interrupted) => void = () => {}
  const atOnce = new Promise<never>((_, reject) => {
    leave = reject
  })
  // Where nothing waits for it, the process ends anyway.
  atOnce.catch(() => {})
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      const now = performance.now()
      if (first && now - first.at < sameWish) return
      if (first || orderly === 0) leave(new Interrupted(signal))
      first ??= { signal, at: now }
      asked.abort()
    })
  return {
    atOnce,
    async orderly(work, ended) {
      orderly++
      try {
        const result = await work(asked.signal)
        const what = ended(result)
        if (first && what !== undefined) throw new Interrupted(first.signal, what)
        return result
      } finally {
        orderly--
      }
    },
    onAsked: (listener) => asked.signal.addEventListener('abort', listener, { once: true }),
  }
}

/** For work that no signal reaches. */
export const uninterrupted: Interrupt = {
  atOnce: new Promise<never>(() => {}),
  orderly: (work) => work(new AbortController().signal),
  onAsked: () => {},
}
