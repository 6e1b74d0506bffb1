import { sizeOf, UsageError } from '../base/index.ts'
import type { StepResult } from './optimizer.ts'
import type { Link, OptimizerEvent, Parameter, Shared, Site, Slots } from './types.ts'

/** One link at work: what it remembers, by parameter name. Parameters it does not apply to have no slots. */
export type BoundLink = {
  /** The link's name, made unique within its chain. */
  readonly key: string
  readonly link: Link
  readonly shared: Shared
  readonly slots: Map<string, Slots>
}

export type StepContext = {
  readonly consume: boolean
  readonly onEvent: ((event: OptimizerEvent) => void) | undefined
  stepOf(p: Parameter): number
  rateOf(p: Parameter): number
  decayOf(p: Parameter): number | undefined
}

export const checkParameters = (parameters: readonly Parameter[]): void => {
  const seen = new Set<string>()
  for (const p of parameters) {
    const place = { initializer: p.name }
    if (seen.has(p.name)) throw new UsageError('the parameter is given twice', { place })
    if (sizeOf(p.dims) !== p.values.length)
      throw new UsageError(`${p.values.length} values do not fill the shape [${p.dims.join(', ')}]`, { place })
    seen.add(p.name)
  }
}

/** Gives every link fresh memory of the parameters it applies to. */
export const bindLinks = (links: readonly Link[], parameters: readonly Parameter[]): BoundLink[] => {
  const uses = new Map<string, number>()
  return links.map((link) => {
    const use = (uses.get(link.name) ?? 0) + 1
    uses.set(link.name, use)
    const mine = parameters.filter((p) => link.applies?.(p) ?? true)
    return {
      key: use === 1 ? link.name : `${link.name}-${use}`,
      link,
      shared: { ...link.shared },
      slots: new Map(mine.map((p) => [p.name, link.init?.(p) ?? {}])),
    }
  })
}

/**
 * How a step runs. A link that looks at all parameters together (`begin`) cuts the chain: everything before it is done for
 * every parameter first. A chain without such links takes each parameter through all of it while its values are in the
 * cache, and needs one scratch buffer in all.
 */
export const runStep = (links: readonly BoundLink[], parameters: readonly Parameter[]) => {
  const byName = new Map(parameters.map((p) => [p.name, p]))
  const chains = new Map(
    parameters.map((p) => [p.name, links.flatMap((b) => (b.slots.has(p.name) ? [bindTo(b, p.name)] : []))]),
  )
  const together = links.some(({ link }) => link.begin)
  const scratch = scratchMemory(together)

  return (gradients: ReadonlyMap<string, Float32Array>, context: StepContext): StepResult => {
    const given = [...gradients].map(([name, gradient]) => ({ p: known(byName, name, gradient), gradient }))
    if (given.length === 0) return { moved: false, reason: 'no gradients were given' }

    const siteOf = ({ p, gradient }: (typeof given)[number]): Site => {
      const update = context.consume ? gradient : scratch(p)
      if (!context.consume) update.set(gradient)
      return {
        parameter: p,
        update,
        step: context.stepOf(p),
        lr: context.rateOf(p),
        weightDecay: context.decayOf(p),
        stepSize: 1,
        idle: false,
        peers: chains.get(p.name)?.map(({ slots }) => slots) ?? [],
        ...(context.onEvent && { emit: context.onEvent }),
      }
    }
    const chainOf = (site: Site) => chains.get(site.parameter.name) ?? []

    if (!together) {
      for (const entry of given) {
        const site = siteOf(entry)
        for (const { link, slots, shared } of chainOf(site)) link.update?.(site, slots, shared)
        move(site, chainOf(site))
      }
      return { moved: true }
    }

    const sites = given.map(siteOf)
    for (const { link, shared, slots } of links) {
      const seen = sites.flatMap((site) => {
        const own = slots.get(site.parameter.name)
        return own ? [{ site, slots: own }] : []
      })
      let reason: string | undefined
      link.begin?.(
        {
          sites: seen,
          skip: (why) => {
            reason ??= why
          },
          ...(context.onEvent && { emit: context.onEvent }),
        },
        shared,
      )
      if (reason !== undefined) {
        context.onEvent?.({ type: 'skip', reason })
        return { moved: false, reason }
      }
      for (const { site, slots: own } of seen) link.update?.(site, own, shared)
    }
    for (const site of sites) move(site, chainOf(site))
    return { moved: true }
  }
}

type Member = { readonly link: Link; readonly slots: Slots; readonly shared: Shared }

const bindTo = ({ link, shared, slots }: BoundLink, name: string): Member => ({
  link,
  shared,
  slots: slots.get(name) ?? {},
})

/** p ← p − lr·u, or what a link does in its place; then what links do to the weights afterwards. */
const move = (site: Site, chain: readonly Member[]): void => {
  const mover = chain.find(({ link }) => link.apply)
  if (site.emit) site.emit({ type: 'update', parameter: site.parameter.name, step: site.step, ratio: ratioOf(site) })
  if (mover) mover.link.apply?.(site, mover.slots, mover.shared)
  else descend(site.parameter.values, site.update, site.lr)
  for (const { link, slots, shared } of chain) link.after?.(site, slots, shared)
}

const descend = (p: Float32Array, u: Float32Array, lr: number): void => {
  for (let i = 0; i < p.length; i++) p[i]! -= lr * u[i]!
}

const ratioOf = ({ parameter: { values }, update, lr }: Site): number => {
  let [u2, p2] = [0, 0]
  for (let i = 0; i < values.length; i++) {
    u2 += update[i]! ** 2
    p2 += values[i]! ** 2
  }
  return p2 > 0 ? lr * Math.sqrt(u2 / p2) : 0
}

const known = (parameters: ReadonlyMap<string, Parameter>, name: string, gradient: Float32Array): Parameter => {
  const p = parameters.get(name)
  const place = { initializer: name }
  if (!p) throw new UsageError('a gradient for a parameter this optimizer does not train', { place })
  if (gradient.length !== p.values.length)
    throw new UsageError(`a gradient of ${gradient.length} values for ${p.values.length} weights`, { place })
  return p
}

/** Scratch for directions: one buffer for all parameters in turn, or one for each where they are needed together. */
const scratchMemory = (together: boolean) => {
  const buffers = new Map<string, Float32Array>()
  return (p: Parameter): Float32Array => {
    const key = together ? p.name : ''
    let buffer = buffers.get(key)
    if (!buffer || buffer.length < p.values.length) {
      buffer = new Float32Array(p.values.length)
      buffers.set(key, buffer)
    }
    return buffer.length === p.values.length ? buffer : buffer.subarray(0, p.values.length)
  }
}
