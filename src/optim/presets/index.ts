export * from './adam.ts'
export * from './ranger.ts'
export * from './sgd.ts'
