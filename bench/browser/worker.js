// Steps run here: a page must stay responsive.
import { webRuntimeOf } from 'espalier/runtime/web'
import { stepOf } from './step.js'

let step
addEventListener('message', async ({ data: { open, count, transfer, ...settings } }) => {
  try {
    if (open) {
      if (!transfer) delete ArrayBuffer.prototype.transfer
      await step?.close()
      step = await stepOf(open, webRuntimeOf(settings), settings.threads)
      postMessage({})
    } else {
      await step.run(count)
      postMessage({})
    }
  } catch (error) {
    postMessage({ error: error.stack ?? error.message })
  }
})
