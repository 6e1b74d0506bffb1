export * from './folder.ts'
export * from './index.ts'
export * from './shards/index.ts'
