export * from './safetensors.ts'
