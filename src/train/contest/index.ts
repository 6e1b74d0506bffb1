export * from './contest.ts'
export * from './entrants.ts'
export * from './rates.ts'
export type { Trial, TrialOptions, TrialResult } from './trial.ts'
