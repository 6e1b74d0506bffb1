// Milliseconds of a training step (forward, backward, SGD) in jax-js on its WebAssembly device.   node jax.mjs
import { blockUntilReady, defaultDevice, init, jit, lax, nn, numpy as np, random, valueAndGrad } from '@jax-js/jax'
import { networks, timed } from './networks.mjs'

await init('wasm')
defaultDevice('wasm')

for (const [name, { batch, layers }] of Object.entries(networks)) {
  let key = random.key(0)
  const draw = (shape) => {
    const [next, mine] = random.split(key)
    key = next
    return random.normal(mine, shape).mul(0.05)
  }
  let [channels, side, width] = [1, 28, 0]
  const params = layers.map((layer) => {
    if (layer.kind === 'conv') {
      const w = draw([layer.to, channels, layer.kernel, layer.kernel])
      channels = layer.to
      side /= 2
      return { w, b: np.zeros([1, layer.to, 1, 1]) }
    }
    const from = width || channels * side * side
    width = layer.to
    return { w: draw([from, layer.to]), b: np.zeros([layer.to]) }
  })
  const loss = (p, x, y) => {
    let h = x
    for (const [i, layer] of layers.entries()) {
      const { w, b } = p[i]
      if (layer.kind === 'conv') {
        const pad = [layer.pad, layer.pad]
        h = nn.relu(lax.convGeneralDilated(h, w, [1, 1], [pad, pad]).add(b))
        const [n, c, height] = h.shape
        h = h.reshape([n, c, height / 2, 2, height / 2, 2]).max([3, 5])
      } else {
        if (h.ndim > 2) h = h.reshape([batch, -1])
        h = np.matmul(h, w).add(b)
        if (layer.relu) h = nn.relu(h)
      }
    }
    return nn
      .logSoftmax(h)
      .mul(y)
      .sum()
      .mul(-1 / batch)
  }
  const update = jit((p, x, y) => {
    const [value, gradient] = valueAndGrad(loss)(
      p.map(({ w, b }) => ({ w: w.ref, b: b.ref })),
      x,
      y,
    )
    const moved = (a, g) => a.sub(g.mul(1e-3))
    return [value, p.map(({ w, b }, i) => ({ w: moved(w, gradient[i].w), b: moved(b, gradient[i].b) }))]
  })
  const x = random.uniform(random.key(1), [batch, 1, 28, 28])
  const y = nn.oneHot(
    np.array(
      Array.from({ length: batch }, (_, i) => i % 10),
      { dtype: np.int32 },
    ),
    10,
  )
  let state = params
  const step = async () => {
    const [value, next] = update(state, x.ref, y.ref)
    state = next
    await blockUntilReady(next)
    await value.data()
  }
  try {
    console.log(`${name.padEnd(16)} batch ${batch}  step ${(await timed(step)).toFixed(2)}  jax-js`)
  } catch (error) {
    console.log(`${name.padEnd(16)} batch ${batch}  jax-js fails: ${error.message.split('\n')[0]}`)
  }
}
