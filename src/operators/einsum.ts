import { sizeOf } from '../base/index.ts'
import { type Node, stringOf } from '../onnx/index.ts'
import { at, expand, freezeAxes, inputOf, outputOf, range, reshape, tensorLike, unsupported } from './helpers.ts'
import { einsumSizes } from './sizes/layers.ts'
import type { AxisContext, GradientContext, NodeContext, Operator } from './types.ts'

/** An equation with every axis of every operand labelled; the axes of an ellipsis get labels of their own. */
type Equation = {
  readonly operands: readonly (readonly string[])[]
  readonly output: readonly string[]
  readonly size: ReadonlyMap<string, number>
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/**
 * Parses `ij,jk->ik`. Ellipses align on the right, as in broadcasting. Without an arrow the output is the ellipsis and
 * then, sorted, the labels that occur once.
 */
const parse = (c: NodeContext): Equation => {
  const text = stringOf(c.node, 'equation', '').replaceAll(' ', '')
  const [left = '', right] = text.split('->')
  const terms = left.split(',')
  const used = new Set(text.replaceAll(/[^A-Za-z]/g, ''))
  const spare = [...letters].filter((label) => !used.has(label))
  const hidden = terms.map((term, i) =>
    term.includes('...') ? c.dims(inputOf(c.node, i)).length - term.replace('...', '').length : 0,
  )
  const rank = Math.max(0, ...hidden)
  if (rank > spare.length) throw unsupported(c.node, 'the equation has more than 52 axes', 'split the product')
  const labels = (term: string, count: number) => {
    const [before = '', after] = term.split('...')
    return after === undefined ? [...before] : [...before, ...spare.slice(rank - count, rank), ...after]
  }
  const operands = terms.map((term, i) => labels(term, hidden[i]!))
  const once = [...used].sort().filter((label) => left.split(label).length === 2)
  const output = right === undefined ? [...spare.slice(0, rank), ...once] : labels(right, rank)
  const size = new Map<string, number>()
  operands.forEach((operand, i) => {
    operand.forEach((label, axis) => {
      size.set(label, Math.max(size.get(label) ?? 1, c.dims(inputOf(c.node, i))[axis]!))
    })
  })
  return { operands, output, size }
}

/**
 * y[o] = Σ Π_j x_j[labels j]. A product is linear in each factor, so ∂L/∂x_i[labels i] = Σ dy[o] Π_{j≠i} x_j[labels j], an
 * Einsum too. Labels x_i has alone were summed away: every index of them gets the same gradient, so expand. A label x_i
 * has twice took only its diagonal: multiply by an identity matrix for each repeat.
 */
const gradientOf = (g: GradientContext, e: Equation, position: number, dy: string): string => {
  const own = e.operands[position]!
  const dims = g.dims(inputOf(g.node, position))
  const factors: { name: string; labels: readonly string[] }[] = [{ name: dy, labels: e.output }]
  e.operands.forEach((labels, j) => {
    if (j !== position) factors.push(squeezed(g, e, j, labels))
  })
  const spare = [...letters].filter((label) => !e.size.has(label))
  const target = own.map((label, axis) => {
    if (own.indexOf(label) === axis) return label
    const fresh = spare.shift()
    if (fresh === undefined) throw unsupported(g.node, 'the equation has more than 52 axes', 'split the product')
    const n = e.size.get(label)!
    const eye = range(0, n * n).map((i) => (i % (n + 1) === 0 ? 1 : 0))
    factors.push({
      name: g.b.constant(tensorLike(g.type(inputOf(g.node, position)), [n, n], eye)),
      labels: [label, fresh],
    })
    return fresh
  })
  // A broadcast axis of size 1 sums over its label: it is left out of the result and put back as 1.
  const stretched = (axis: number) => dims[axis] === 1 && e.size.get(own[axis]!) !== 1
  const known = new Set(factors.flatMap(({ labels }) => labels))
  const kept = range(0, own.length).filter((axis) => known.has(target[axis]!) && !stretched(axis))
  const equation = `${factors.map(({ labels }) => labels.join('')).join(',')}->${kept.map((axis) => target[axis]).join('')}`
  const found = g.b.op(
    'Einsum',
    factors.map(({ name }) => name),
    { equation },
  )
  if (kept.length === dims.length) return found
  const ones = dims.map((size, axis) => (kept.includes(axis) ? size : 1))
  const ranked = reshape(g, found, ones)
  return ones.join() === dims.join() ? ranked : expand(g, ranked, dims)
}

/** A factor without its broadcast axes of size 1. */
const squeezed = (g: GradientContext, e: Equation, position: number, labels: readonly string[]) => {
  const name = inputOf(g.node, position)
  const dims = g.dims(name)
  const full = labels.filter((label, axis) => dims[axis] === e.size.get(label))
  if (full.length === labels.length) return { name, labels }
  return {
    name: reshape(
      g,
      name,
      dims.filter((size, axis) => size === e.size.get(labels[axis]!)),
    ),
    labels: full,
  }
}

/** Equal labels unify. A diagonal, an axis stretched from 1, and one summed within a single operand freeze. */
const einsumAxes = (a: AxisContext): void => {
  const e = parse(a)
  const places = [
    ...e.operands.map((labels, i) => ({ value: inputOf(a.node, i), labels })),
    { value: outputOf(a.node, 0), labels: e.output },
  ]
  for (const [label, size] of e.size) {
    const found = places.flatMap(({ value, labels }) =>
      labels.flatMap((l, axis) => (l === label ? [at(value, axis)] : [])),
    )
    const diagonal = places.some(({ labels }) => labels.indexOf(label) !== labels.lastIndexOf(label))
    const full = found.filter(({ value, axis }) => a.dims(value)[axis] === size)
    for (const ref of found) {
      if (diagonal) a.freeze(ref, `Einsum takes the diagonal of label '${label}'`)
      else if (!full.includes(ref))
        freezeAxes(a, ref.value, 'an axis of size 1 stretched by broadcasting has no index to lose', [ref.axis])
      else if (full.length === 1) a.freeze(ref, `Einsum sums label '${label}' within one operand`)
      else if (ref !== full[0]) a.join(full[0]!, ref)
    }
  }
}

const check = (node: Node, e: Equation): Equation => {
  if (e.output.some((label) => !e.size.has(label)))
    throw unsupported(node, 'the equation has an output label no operand has', 'correct the equation')
  return e
}

export const einsum = {
  gradient: (g) => {
    const dy = g.grads[0]
    if (dy === undefined) return []
    const e = check(g.node, parse(g))
    return e.operands.map((_, i) => (g.wants(i) ? gradientOf(g, e, i, dy) : undefined))
  },
  axes: einsumAxes,
  // One factor is only summed; each further factor costs a multiplication per combination of labels.
  sizes: einsumSizes,
  macs: (m) => {
    const e = parse(m)
    return Math.max(e.operands.length - 1, 0) * sizeOf([...e.size.values()])
  },
} satisfies Operator
