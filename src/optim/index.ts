export { type Compat, compats } from './compat.ts'
export type { BoundLink } from './engine.ts'
export { parseGroup, parseGroups } from './group-text.ts'
export { matchesPattern, only, type ParameterGroup } from './groups.ts'
export * from './links/index.ts'
export {
  type Optimizer,
  type OptimizerOptions,
  optimizer,
  type Recipe,
  type StartOptions,
  type StepOptions,
  withRate,
} from './optimizer.ts'
export * from './presets/index.ts'
export * from './replay/index.ts'
export * from './roles.ts'
export * from './schedule-text.ts'
export type { Schedule } from './schedules.ts'
export * as schedules from './schedules.ts'
export * from './state.ts'
export * from './torch-state.ts'
export * from './types.ts'
