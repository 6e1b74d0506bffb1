export * from './errors.ts'
export * from './group-by.ts'
export * from './random.ts'
export * from './tensor.ts'
