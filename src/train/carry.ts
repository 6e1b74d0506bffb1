import { type OptimizerState, pruneState } from '../optim/index.ts'
import type { Plan } from '../prune/index.ts'

/**
 * What an optimizer remembers of a model, cut as a plan cuts the model. A vector that the plan splits into copies gives each
 * copy its memory. Steps of the parameters go on where they were; the schedule begins anew, as every retraining has its own.
 */
export const carriedState = (state: OptimizerState, plan: Plan): OptimizerState => {
  const { tensors, scalars } = pruneState(withCopies(state, plan.copies), plan.slices)
  return { tensors, scalars: { ...scalars, count: 0 } }
}

const withCopies = ({ tensors, scalars }: OptimizerState, copies: Plan['copies']): OptimizerState => {
  const copiesOf = (name: string) => Object.keys(copies).filter((copy) => copies[copy] === name)
  /** The keys `LINK:SLOT:COPY` beside a `LINK:SLOT:SHARED`. */
  const beside = (key: string): string[] => {
    const [link, slot, ...name] = key.split(':')
    return copiesOf(name.join(':')).map((copy) => `${link}:${slot}:${copy}`)
  }
  const spread = <T>(entries: Iterable<[string, T]>, more: (key: string) => string[]): [string, T][] =>
    [...entries].flatMap(([key, value]) => [key, ...more(key)].map((name): [string, T] => [name, value]))
  return {
    tensors: new Map(spread(tensors, beside)),
    scalars: {
      ...scalars,
      steps: Object.fromEntries(spread(Object.entries(scalars.steps), copiesOf)),
      axes: Object.fromEntries(spread(Object.entries(scalars.axes), beside)),
      remade: scalars.remade.flatMap((key) => [key, ...beside(key)]),
    },
  }
}
