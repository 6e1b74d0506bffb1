// Milliseconds of a training step (forward, backward, Adam) in TensorFlow.js.   node tfjs.mjs [cpu|wasm]
import * as tf from '@tensorflow/tfjs'
import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm'
import { networks, timed } from './networks.mjs'

const backend = process.argv[2] ?? 'cpu'
if (backend === 'wasm') setThreadsCount(1)
await tf.setBackend(backend)

for (const [name, { batch, layers }] of Object.entries(networks)) {
  const model = tf.sequential()
  const first = { inputShape: [28, 28, 1] }
  let flat = false
  for (const [i, layer] of layers.entries()) {
    const given = i === 0 ? first : {}
    if (layer.kind === 'conv') {
      const { to, kernel } = layer
      model.add(tf.layers.conv2d({ ...given, filters: to, kernelSize: kernel, padding: 'same', activation: 'relu' }))
      model.add(tf.layers.maxPooling2d({ poolSize: 2, strides: 2 }))
    } else {
      if (!flat) model.add(tf.layers.flatten(given))
      flat = true
      model.add(tf.layers.dense({ units: layer.to, ...(layer.relu ? { activation: 'relu' } : {}) }))
    }
  }
  const optimizer = tf.train.adam(1e-4)
  const x = tf.randomUniform([batch, 28, 28, 1])
  const y = tf.oneHot(tf.range(0, batch, 1, 'int32').mod(tf.scalar(10, 'int32')), 10)
  const step = async () => {
    const loss = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, model.apply(x)), true)
    await loss.data()
    loss.dispose()
  }
  try {
    console.log(`${name.padEnd(16)} batch ${batch}  step ${(await timed(step)).toFixed(2)}  tfjs-${backend}`)
  } catch (error) {
    console.log(`${name.padEnd(16)} batch ${batch}  tfjs-${backend} fails: ${error.message.split('\n')[0]}`)
  }
}
