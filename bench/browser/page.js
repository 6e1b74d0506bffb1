const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })

/** Called from outside: hands an order to the worker and waits until it is done. */
globalThis.ask = (order) =>
  new Promise((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message))
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve())
    worker.postMessage(order)
  })
