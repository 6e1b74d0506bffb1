// Steps run here: a page must stay responsive.
import { webRuntimeOf } from 'espalier/runtime/web'
import { stepOf } from './step.js'

let step
addEventListener('message', async ({ data: { open, count, ...settings } }) => {
  try {
    if (open) {
      await step?.close()
      step = await stepOf(open, webRuntimeOf(settings), settings.threads)
      postMessage([])
    } else postMessage(await step.run(count))
  } catch (error) {
    postMessage(error.stack ?? error.message)
  }
})
