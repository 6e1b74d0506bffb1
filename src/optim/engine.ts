import { sizeOf, UsageError } from '../base/index.ts'
import { type LoopMemory, loop, memoryOf, mul, pieceLength, residence, sub } from './loops/index.ts'
import type { Fresh, Link, OptimizerEvent, Parameter, Shared, Site, Slots, StepResult } from './types.ts'

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
  const { ask, settle } = residence()
  const fresh: Fresh = ({ values }, from) => ask(values.length, from)
  const bound = links.map((link) => {
    const use = (uses.get(link.name) ?? 0) + 1
    uses.set(link.name, use)
    const mine = parameters.filter((p) => link.applies?.(p) ?? true)
    return {
      key: use === 1 ? link.name : `${link.name}-${use}`,
      link,
      shared: { ...link.shared },
      slots: new Map(mine.map((p) => [p.name, link.init?.(p, fresh) ?? {}])),
    }
  })
  const settled = settle()
  for (const { slots } of bound)
    for (const own of slots.values())
      for (const [name, array] of Object.entries(own)) if (array instanceof Float32Array) own[name] = settled(array)
  return bound
}

/**
 * How a step runs. A link that looks at all parameters together (`begin`) cuts the chain: everything before it is done for
 * every parameter first. From the last such link on, each parameter goes through the rest of the chain and is moved, in
 * pieces where its links allow: a piece is in the cache from the first link to the last, so that a chain makes one trip
 * through memory, and directions need no memory but a piece's.
 */
export const runStep = (links: readonly BoundLink[], parameters: readonly Parameter[]) => {
  const byName = new Map(parameters.map((p) => [p.name, p]))
  const last = links.findLastIndex(({ link }) => link.begin)
  const chains = new Map(parameters.map((p) => [p.name, chainOf(links, p, last)]))
  const scratch = scratchMemory(last >= 0)

  return (gradients: ReadonlyMap<string, Float32Array>, context: StepContext): StepResult => {
    const given = [...gradients].map(([name, gradient]) => ({ p: known(byName, name, gradient), gradient }))
    if (given.length === 0) return { moved: false, reason: 'no gradients were given' }

    /** The gradient itself, where nothing is written to it or it was given up; else a copy. */
    const own = (p: Parameter, gradient: Float32Array): Float32Array => {
      if (context.consume) return gradient
      const copy = scratch(p)
      copy.set(gradient)
      return copy
    }
    const siteOf = ({ p, gradient }: (typeof given)[number]): Site => ({
      parameter: p,
      update: last >= 0 ? own(p, gradient) : gradient,
      step: context.stepOf(p),
      lr: context.rateOf(p),
      weightDecay: context.decayOf(p),
      stepSize: 1,
      idle: false,
      peers: chains.get(p.name)?.members.map(({ slots }) => slots) ?? [],
      ...(context.onEvent && { emit: context.onEvent }),
    })

    const sites = given.map(siteOf)
    for (const [i, { link, shared, slots }] of links.slice(0, last + 1).entries()) {
      const seen = sites.flatMap((site) => {
        const mine = slots.get(site.parameter.name)
        return mine ? [{ site, slots: mine }] : []
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
      if (i < last) for (const { site, slots: mine } of seen) link.update?.(site, mine, shared)
    }

    for (const site of sites) {
      const chain = chains.get(site.parameter.name)!
      const { members, length } = chain
      // Telemetry speaks of whole parameters.
      if (length !== undefined && !site.emit) inPieces(site, members, length, chain.home)
      else pass(last >= 0 ? site : { ...site, update: own(site.parameter, site.update) }, members)
    }
    return { moved: true }
  }
}

/** A link's part in what a parameter goes through alone: links before the last that looked at all have done their update. */
type Member = { readonly link: Link; readonly slots: Slots; readonly shared: Shared; readonly updated: boolean }

/** What a parameter goes through, the length of the pieces it may be taken in, if it may, and where its slots live. */
type Chain = { readonly members: readonly Member[]; readonly length: number | undefined; readonly home: LoopMemory }

const chainOf = (links: readonly BoundLink[], p: Parameter, last: number): Chain => {
  const members = links.flatMap(({ link, shared, slots }, i): Member[] => {
    const mine = slots.get(p.name)
    return mine ? [{ link, shared, slots: mine, updated: i < last }] : []
  })
  const active = members.filter(({ link, updated }) => (link.update && !updated) || link.apply || link.after)
  const grain = active.reduce<number | undefined>((sofar, { link }) => {
    const own = link.grain?.(p)
    return sofar && own && leastMultiple(sofar, own)
  }, 1)
  return {
    members,
    length: grain && grain * Math.max(1, Math.floor(pieceLength / grain)),
    home: memoryOf(members.flatMap(({ slots }) => Object.values(slots))),
  }
}

const leastMultiple = (a: number, b: number): number => {
  let multiple = a
  while (multiple % b !== 0) multiple += a
  return multiple
}

/** Direction and weights of a piece stay in the loops' memory from the first link to the last. */
const inPieces = (site: Site, members: readonly Member[], length: number, { kept }: LoopMemory): void => {
  const { parameter, update } = site
  const size = update.length
  const [directions, weights] = length <= pieceLength ? kept : [new Float32Array(length), new Float32Array(length)]
  for (let start = 0; start < size; start += length) {
    const end = Math.min(size, start + length)
    const piece = members.map((member) => ({ ...member, slots: pieceOf(member.slots, size, start, end) }))
    const [own, values] = [directions!.subarray(0, end - start), weights!.subarray(0, end - start)]
    const home = parameter.values.subarray(start, end)
    own.set(update.subarray(start, end))
    values.set(home)
    pass(
      {
        ...site,
        parameter: { ...parameter, values },
        update: own,
        peers: piece.map(({ slots }) => slots),
      },
      piece,
    )
    home.set(values)
  }
}

/** The part of each slot that belongs to a piece. */
const pieceOf = (slots: Slots, size: number, start: number, end: number): Slots => {
  const piece: Slots = {}
  for (const name in slots) {
    const values = slots[name]!
    piece[name] = values.length === size ? values.subarray(start, end) : values
  }
  return piece
}

/** The rest of the chain, then p ← p − lr·u or what a link does in its place, then what links do to the weights afterwards. */
const pass = (site: Site, chain: readonly Member[]): void => {
  for (const { link, slots, shared, updated } of chain) if (!updated) link.update?.(site, slots, shared)
  const mover = chain.find(({ link }) => link.apply)
  if (site.emit) site.emit({ type: 'update', parameter: site.parameter.name, step: site.step, ratio: ratioOf(site) })
  if (mover) mover.link.apply?.(site, mover.slots, mover.shared)
  else descend({ p: site.parameter.values, u: site.update }, { lr: site.lr })
  for (const { link, slots, shared } of chain) link.after?.(site, slots, shared)
}

const descend = loop(['p', 'u'], ['lr'], ({ p, u }, { lr }) => ({ p: sub(p, mul(lr, u)) }))

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
