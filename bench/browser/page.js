const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })

/** Called from outside: hands an order to the worker and waits for its times. */
globalThis.ask = (order) =>
  new Promise((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message))
    worker.onmessage = ({ data }) => (Array.isArray(data) ? resolve(data) : reject(new Error(data)))
    worker.postMessage(order)
  })
