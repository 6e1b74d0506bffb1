import fc from 'fast-check'

// A run says the same today and tomorrow; `SEED=17 npx vitest run src/prune` walks elsewhere.
fc.configureGlobal({ seed: Number(process.env.SEED ?? 1) })
