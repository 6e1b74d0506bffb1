import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/testing/properties.ts'],
    globalSetup: ['src/testing/packages.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two cores: ONNX Runtime brings threads of its own.
    maxWorkers: 2,
  },
})
