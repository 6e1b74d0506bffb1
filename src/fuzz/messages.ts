/** What the process that runs cases sends to the one that watches it. */
export type Report =
  | { readonly type: 'start'; readonly seed: number }
  | { readonly type: 'end'; readonly seed: number; readonly outcome: string }
  | { readonly type: 'failure'; readonly seed: number; readonly problem: string }
  | { readonly type: 'ready' | 'done' }

/** What the process that runs cases is asked to do, as its only argument in JSON. */
export type Job = {
  readonly target: string
  /** The first case's seed; the following cases have the numbers that follow. */
  readonly seed: number
  /** Cases end after so many seconds, or after so many cases. */
  readonly seconds: number
  readonly cases: number
  /** An empty folder for its files. */
  readonly folder: string
  /** Where the input of the first case is written instead of running it. */
  readonly keep?: string
}
