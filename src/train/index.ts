export * from './engine.ts'
export * from './evaluate.ts'
export * from './events.ts'
export * from './trainer.ts'
