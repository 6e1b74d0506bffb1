export * from './detect.ts'
export * from './idx.ts'
export * from './numpy.ts'
export * from './safetensors.ts'
