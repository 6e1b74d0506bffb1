// The networks both peers build, layer by layer, as `espalier bench train` has them.
const conv = (to, kernel, pad) => ({ kind: 'conv', to, kernel, pad })
const dense = (to, relu = true) => ({ kind: 'dense', to, relu })

export const networks = {
  'seed-cnn': { batch: 50, layers: [conv(16, 5, 2), conv(32, 5, 2), dense(10, false)] },
  'lenet-300-100': { batch: 32, layers: [dense(300), dense(100), dense(10, false)] },
}

/** Steps with their times in ms: one to warm up, then as many as fit into `seconds`. */
export const timed = async (step, seconds = 40) => {
  await step()
  const times = []
  const end = performance.now() + seconds * 1000
  while (times.length < 30 && (performance.now() < end || times.length === 0)) {
    const start = performance.now()
    await step()
    times.push(performance.now() - start)
  }
  return times.sort((a, b) => a - b)[times.length >> 1]
}
