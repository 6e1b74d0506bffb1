export * from './contest/file.ts'
export * from './folder.ts'
export * from './index.ts'
export * from './shards/index.ts'
