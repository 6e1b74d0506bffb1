export * from './size.ts'
export type { SizeContext, Sized, SizeRule } from './types.ts'
