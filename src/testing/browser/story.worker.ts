import { type NetworkName, type Story, type Task, tell } from './story.ts'

export type Order = { readonly network: NetworkName; readonly task: Task }
export type Answer = { readonly told: Story } | { readonly error: string }

addEventListener('message', async ({ data }: MessageEvent<Order>) => {
  const answer: Answer = await tell(data.network, data.task).then(
    (told) => ({ told }),
    (error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
  postMessage(answer)
})
