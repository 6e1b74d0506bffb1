import { UsageError } from '../base/index.ts'
import { type BoundLink, bindLinks, checkParameters, runStep } from './engine.ts'
import { groupOf, type ParameterGroup } from './groups.ts'
import { elementwise } from './links/moments.ts'
import type { Schedule } from './schedules.ts'
import type { Link, OptimizerEvent, Parameter, StepResult } from './types.ts'

export type OptimizerOptions = {
  /** Learning rate; 1e-3. */
  lr?: number
  /** Factor on the rate by the number of updates made so far; constant 1. */
  schedule?: Schedule | undefined
  /** Parameters with their own rate, decay or links; a parameter belongs to the first group that matches it. */
  groups?: readonly ParameterGroup[]
  /** Climb instead of descend; false. */
  maximize?: boolean
}

/** An optimizer not yet bound to parameters: plain data but for `start`. */
export type Recipe = {
  readonly links: readonly Link[]
  readonly lr: number
  readonly schedule: Schedule | undefined
  readonly groups: readonly ParameterGroup[]
  /** Binds it: from here on `step` changes the parameters' values in place. */
  start(parameters: readonly Parameter[], options?: StartOptions): Optimizer
}

export type StartOptions = {
  /** Asks the links for telemetry, which costs them extra passes over the weights. */
  onEvent?: (event: OptimizerEvent) => void
}

export type StepOptions = {
  /** Gives the gradients up as scratch memory, which saves a copy where links need a whole one; false. */
  consume?: boolean
  /** Whether to tell what the links do, when somebody listens; true. Steps that do not tell are faster. */
  telemetry?: boolean
}

export type Optimizer = {
  readonly parameters: readonly Parameter[]
  readonly links: readonly BoundLink[]
  /** Updates made of each parameter, by name. */
  readonly steps: Map<string, number>
  /** Updates made in all: skipped steps and accumulated gradients do not count. */
  count: number
  /** The base rate before the schedule; may be changed between steps. */
  lr: number
  /** The rate of the coming step, schedule included. */
  rate(): number
  /**
   * One step along the gradients, given by parameter name; a parameter without one stays where it is. The gradients are
   * left as they are, unless given up.
   */
  step(gradients: ReadonlyMap<string, Float32Array>, options?: StepOptions): StepResult
  /**
   * The weights to evaluate with where a link keeps them (Lookahead's slow ones, schedule-free averages), in fresh arrays
   * that leave training as it is; undefined where they are the training weights.
   */
  evaluationWeights(): Map<string, Float32Array> | undefined
  /** Ends training on the evaluation weights, where there are any. */
  finish(): void
}

/** An optimizer from a chain of links. */
export const optimizer = (links: readonly Link[], options: OptimizerOptions = {}): Recipe => {
  const { lr = 1e-3, schedule, groups = [] } = options
  if (!(lr >= 0 && Number.isFinite(lr)))
    throw new UsageError(`a learning rate of ${lr} makes no sense`, { remedy: 'give a number of 0 or more' })
  if (links.filter((link) => link.apply).length > 1)
    throw new UsageError('a chain can hold only one link that moves the weights itself')
  const chain = options.maximize ? [negate, ...links] : links
  const recipe = { links: withGroupLinks(chain, groups), lr, schedule, groups }
  return { ...recipe, start: (parameters, start = {}) => begin(recipe, parameters, start) }
}

/** The same optimizer at another base rate and schedule. */
export const withRate = (recipe: Recipe, lr: number, schedule: Schedule): Recipe => {
  const changed = { ...recipe, lr, schedule }
  return { ...changed, start: (parameters, start = {}) => begin(changed, parameters, start) }
}

/** Turns the gradient round. */
const negate: Link = {
  name: 'negate',
  grain: elementwise,
  update({ update: u }) {
    for (let i = 0; i < u.length; i++) u[i]! *= -1
  },
}

/** A group's own links serve its parameters in place of the chain's. */
const withGroupLinks = (links: readonly Link[], groups: readonly ParameterGroup[]): readonly Link[] => {
  const special = groups.filter((group) => group.links)
  if (special.length === 0) return links
  const restrict = (link: Link, group: ParameterGroup | undefined): Link => ({
    ...link,
    applies: (p) => {
      const own = groupOf(groups, p)
      return (own?.links ? own : undefined) === group && (link.applies?.(p) ?? true)
    },
  })
  return [
    ...links.map((link) => restrict(link, undefined)),
    ...special.flatMap((group) => (group.links ?? []).map((link) => restrict(link, group))),
  ]
}

const begin = (
  recipe: Omit<Recipe, 'start'>,
  parameters: readonly Parameter[],
  { onEvent }: StartOptions,
): Optimizer => {
  checkParameters(parameters)
  const links = bindLinks(recipe.links, parameters)
  const groups = new Map(parameters.map((p) => [p.name, groupOf(recipe.groups, p)]))
  const steps = new Map(parameters.map((p) => [p.name, 0]))
  const run = runStep(links, parameters)

  const self: Optimizer = {
    parameters,
    links,
    steps,
    count: 0,
    lr: recipe.lr,
    rate: () => self.lr * (recipe.schedule?.(self.count) ?? 1),

    step(gradients, { consume = false, telemetry = true } = {}) {
      const scheduled = recipe.schedule?.(self.count) ?? 1
      const result = run(gradients, {
        consume,
        onEvent: telemetry ? onEvent : undefined,
        stepOf: ({ name }) => (steps.get(name) ?? 0) + 1,
        rateOf: ({ name }) => {
          const group = groups.get(name)
          return (group?.lr ?? self.lr * (group?.lrFactor ?? 1)) * scheduled
        },
        decayOf: ({ name }) => groups.get(name)?.weightDecay,
      })
      if (result.moved) {
        self.count++
        for (const name of gradients.keys()) steps.set(name, (steps.get(name) ?? 0) + 1)
      }
      return result
    },

    evaluationWeights() {
      const keepers = links.filter(({ link }) => link.evaluate)
      if (keepers.length === 0) return undefined
      const weights = new Map(parameters.map((p) => [p.name, p.values.slice()]))
      for (const { link, slots } of keepers)
        for (const p of parameters) {
          const [own, out] = [slots.get(p.name), weights.get(p.name)]
          if (own && out) link.evaluate?.(p, own, out)
        }
      return weights
    },

    finish() {
      const weights = self.evaluationWeights()
      for (const p of parameters) {
        const values = weights?.get(p.name)
        if (values) p.values.set(values)
      }
    },
  }
  return self
}
