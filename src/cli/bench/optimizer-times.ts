import { random } from '../../base/index.ts'
import { networkNamed } from '../../nn/index.ts'
import { type Optimizer, parametersOf } from '../../optim/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { type Entrant, openEngine } from '../../train/index.ts'
import { exampleBatch } from './example.ts'

/** What steps cost on a network, in milliseconds of the processor: the gradients, and each optimizer's own work. */
export type StepTimes = {
  readonly network: string
  readonly gradients: number
  readonly optimizers: Readonly<Record<string, number>>
}

/**
 * Medians over rounds in which all take turns, so that a busy machine slows all alike; processor time, because others'
 * work does not count in it.
 */
export const timeOptimizers = async (
  networks: readonly string[],
  entrants: readonly Entrant[],
  { batch, threads, rounds = 9, steps = 6 }: { batch: number; threads: number; rounds?: number; steps?: number },
): Promise<StepTimes[]> => {
  const found: StepTimes[] = []
  for (const name of networks) {
    const network = networkNamed(name)
    const model = network.build()
    const example = exampleBatch(network, batch)
    const engine = await openEngine(model, { runtime: nodeRuntime, threads }, example)
    const start = ({ recipe }: Entrant): Optimizer =>
      recipe({ rate: 1e-6, schedule: 'constant' }, 1).start(parametersOf(model.graph, engine.trainable))
    const running = entrants.map((entrant) => ({ name: entrant.name, optimizer: start(entrant) }))
    const noise = random(0)
    const gradients = new Map(
      [...engine.gradients].map(([key, values]) => [key, values.map(() => 0.01 * noise.normal())]),
    )
    const work: [string, () => unknown][] = [
      ['', () => engine.step(example)],
      ...running.map(({ name, optimizer }): [string, () => unknown] => [name, () => optimizer.step(gradients)]),
    ]
    const times = new Map(work.map(([key]) => [key, [] as number[]]))
    for (let round = -1; round < rounds; round++)
      for (const [key, run] of work) {
        const before = process.cpuUsage()
        for (let i = 0; i < steps; i++) await run()
        const { user, system } = process.cpuUsage(before)
        if (round >= 0) times.get(key)!.push((user + system) / 1000 / steps)
      }
    await engine.close()
    const medianOf = (key: string) => [...times.get(key)!].sort((a, b) => a - b)[Math.floor(rounds / 2)]!
    found.push({
      network: name,
      gradients: medianOf(''),
      optimizers: Object.fromEntries(running.map(({ name }) => [name, medianOf(name)])),
    })
  }
  return found
}
