import type { Random } from '../base/index.ts'

/** One case of a target, made from a seed. */
export type Attempt = {
  /** The input, kept in a folder where the case fails: file name to content. */
  readonly files: Readonly<Record<string, Uint8Array | string>>
  /**
   * Does the work and checks the result.
   * @returns the outcome to count, such as 'read' or 'refused'
   * @throws what is wrong, which makes the case a failure
   */
  run(): Promise<string> | string
}

/** What a target holds on to between cases of one process. */
export type Opened = {
  attempt(dice: Random): Attempt | Promise<Attempt>
  close?(): Promise<void>
}

/** A property that must hold for whatever its generator makes. */
export type Target = {
  readonly name: string
  /** What is tried and what must hold, for the documentation's table. */
  readonly what: string
  /** Cases of the short run among the tests. */
  readonly short: number
  /** Most that one case may take: seconds, and MiB of memory beyond what the process had before. */
  readonly limits: { readonly seconds: number; readonly megabytes: number }
  /** Prepares what all cases share in an empty folder, which is removed afterwards. */
  open(folder: string): Promise<Opened>
}

/** A property that does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** @throws Violation with `what` where `holds` is false */
export const ensure = (holds: boolean, what: string): void => {
  if (!holds) throw new Violation(what)
}
