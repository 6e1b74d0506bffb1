export * from './file.ts'
export * from './index.ts'
export * from './tensorflow.ts'
