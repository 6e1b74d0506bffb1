import { intOf } from '../onnx/index.ts'
import { calculator } from './calculator.ts'
import { gatesOf, products } from './gates.ts'
import { concat, filled, hasInput, inputOf, reshape, slice, split, sum } from './helpers.ts'
import type { Direction, DirectionGradient } from './recurrence.ts'
import { scan } from './scan.ts'
import type { GradientContext } from './types.ts'

const flat = (g: GradientContext, d: Direction, x: string, columns = d.hidden): string =>
  reshape(g, x, [d.steps * d.batch, columns])

const stepped = (g: GradientContext, d: Direction, x: string): string => reshape(g, x, [d.steps, d.batch, d.hidden])

const transposedProduct = (g: GradientContext, a: string, b: string): string => g.b.op('Gemm', [a, b], { transA: 1 })

/** Splits `within` from the slices a scan hands its step; past a sequence's end states pass unchanged. */
const masked = (body: GradientContext, d: Direction, within: string | undefined) => {
  const t = calculator(body, inputOf(body.node, 0))
  return {
    t,
    /** 0 past the end. */
    cut: (x: string) => (within === undefined || d.within === undefined ? x : t.mul(x, within)),
    /** `next` within, the old state past the end. `next` is 0 there already. */
    pass: (next: string, old: string) =>
      within === undefined || d.within === undefined ? next : t.add(next, t.sub(old, t.mul(old, within))),
  }
}

const sequencesWith = (d: Direction, sequences: readonly string[]): string[] =>
  d.within === undefined ? [...sequences] : [...sequences, d.within]

/** hₜ = f(zₜ), zₜ = W xₜ + R hₜ₋₁ + biases  ⇒  ∂L/∂zₜ = f′(zₜ)·∂L/∂hₜ, and Rᵀ ∂L/∂zₜ is what hₜ₋₁ gets. */
export const rnnCell = (g: GradientContext, d: Direction): DirectionGradient => {
  const gates = gatesOf(g, d, ['tanh'])
  const [fromX] = products(g, d, { x: d.x, w: d.w, bias: d.biases?.[0], gates: 1 })
  const [fromH] = products(g, d, { x: d.before, w: d.r, bias: d.biases?.[1], gates: 1 })
  const { slope } = gates.gate(0, g.b.op('Add', [fromX!, fromH!]))
  const { states, outputs } = scan(
    g,
    {
      type: g.type(inputOf(g.node, 0)),
      states: [d.dLast],
      sequences: sequencesWith(d, [d.dy, stepped(g, d, slope)]),
      backwards: true,
    },
    (body, [dh], [dy, slope, within]) => {
      const { t, cut, pass } = masked(body, d, within)
      const dz = t.mul(cut(t.add(dh!, dy!)), slope!)
      return { states: [pass(body.b.op('MatMul', [dz, d.r]), dh!)], outputs: [dz] }
    },
  )
  const dz = flat(g, d, outputs[0]!)
  return { dz, dr: transposedProduct(g, dz, d.before), drBias: sum(g, dz, [0]), dInitial: states[0]! }
}

/**
 * Cho et al. 2014: update z, reset r, candidate n;  hₜ = (1 − z) n + z hₜ₋₁. With d = ∂L/∂hₜ, by what each gate's
 * activation is applied to:  dn = d (1 − z) n′,  dz = d (hₜ₋₁ − n) z′, and the reset gate by way of n:
 *   n = g(W x + r·(R h + b)) (linear_before_reset):  dr = dn·(R h + b) r′, and R gets dn·r;
 *   n = g(W x + R (r·h) + b):                        dr = (Rᵀ dn)·h r′, and h gets (Rᵀ dn)·r.
 */
export const gruCell = (g: GradientContext, d: Direction): DirectionGradient => {
  const t = calculator(g, inputOf(g.node, 0))
  const h = d.hidden
  const before = intOf(g.node, 'linear_before_reset', 0) !== 0
  const rows = (x: string, from: number, to: number) => slice(g, x, { axes: [0], starts: [from * h], ends: [to * h] })
  const gates = gatesOf(g, d, ['sigmoid', 'tanh'])
  const [wBias, rBias] = d.biases ?? []
  const [xz, xr, xn] = products(g, d, { x: d.x, w: d.w, bias: wBias, gates: 3 })
  const [rGates, rCandidate] = [rows(d.r, 0, 2), rows(d.r, 2, 3)]
  const recurrent = (x: string, from: number, to: number, w: string) =>
    products(g, d, { x, w, bias: rBias && rows(rBias, from, to), gates: to - from })
  const [hz, hr] = recurrent(d.before, 0, 2, rGates)
  const update = gates.gate(0, t.add(xz!, hz!))
  const reset = gates.gate(0, t.add(xr!, hr!))
  const kept = before ? d.before : t.mul(reset.value, d.before)
  const [hn] = recurrent(kept, 2, 3, rCandidate)
  const candidate = gates.gate(1, t.add(xn!, before ? t.mul(reset.value, hn!) : hn!))

  const rates = [
    t.mul(t.sub(d.before, candidate.value), update.slope),
    t.mul(before ? hn! : d.before, reset.slope),
    t.mul(t.sub(1, update.value), candidate.slope),
    update.value,
    reset.value,
  ]
  const { states, outputs } = scan(
    g,
    {
      type: g.type(inputOf(g.node, 0)),
      states: [d.dLast],
      sequences: sequencesWith(d, [d.dy, ...rates.map((rate) => stepped(g, d, rate))]),
      backwards: true,
    },
    (body, [dh], [dy, rateZ, rateR, rateN, update, reset, within]) => {
      const { t, cut, pass } = masked(body, d, within)
      const total = cut(t.add(dh!, dy!))
      const [dz, dn] = [t.mul(total, rateZ!), t.mul(total, rateN!)]
      const back = before ? t.mul(dn, reset!) : body.b.op('MatMul', [dn, rCandidate])
      const dr = t.mul(before ? dn : back, rateR!)
      const direct = t.mul(total, update!)
      const byCandidate = before ? body.b.op('MatMul', [back, rCandidate]) : t.mul(back, reset!)
      const byGates = body.b.op('MatMul', [concat(body, [dz, dr], 1), rGates])
      return {
        states: [pass(t.add(direct, t.add(byCandidate, byGates)), dh!)],
        outputs: [concat(body, [dz, dr], 1), dn, ...(before ? [back] : [])],
      }
    },
  )
  const dGates = flat(g, d, outputs[0]!, 2 * h)
  const dCandidate = flat(g, d, outputs[1]!)
  const dProduct = before ? flat(g, d, outputs[2]!) : dCandidate
  return {
    dz: concat(g, [dGates, dCandidate], 1),
    dr: concat(g, [transposedProduct(g, dGates, d.before), transposedProduct(g, dProduct, kept)], 0),
    drBias: concat(g, [sum(g, dGates, [0]), sum(g, dProduct, [0])], 0),
    dInitial: states[0]!,
  }
}

/**
 * Hochreiter and Schmidhuber 1997, peepholes p from Gers and Schmidhuber 2000; gates in ONNX's order i, o, f, c:
 *   cₜ = f cₜ₋₁ + i c̃,  hₜ = o h(cₜ);  i and f see p·cₜ₋₁, o sees p·cₜ.
 * With dh = ∂L/∂hₜ, by what each activation is applied to:  do = dh h(cₜ) o′,  dc = ∂L/∂cₜ = (from cₜ₊₁) + dh o h′(cₜ) + p_o do,
 *   di = dc c̃ i′,  df = dc cₜ₋₁ f′,  dc̃ = dc i c̃′, and cₜ₋₁ gets dc f + p_i di + p_f df.
 * With input_forget f is 1 − i: di = dc (c̃ − cₜ₋₁) i′ and df = 0. The cell's states are no output: a first scan finds them.
 */
export const lstmCell = (g: GradientContext, d: Direction): DirectionGradient => {
  const x = inputOf(g.node, 0)
  const t = calculator(g, x)
  const type = g.type(x)
  const state = [d.batch, d.hidden]
  const gates = gatesOf(g, d, ['sigmoid', 'tanh', 'tanh'])
  const coupled = intOf(g.node, 'input_forget', 0) !== 0
  const fromX = products(g, d, { x: d.x, w: d.w, bias: d.biases?.[0], gates: 4 })
  const fromH = products(g, d, { x: d.before, w: d.r, bias: d.biases?.[1], gates: 4 })
  const [zi, zo, zf, zc] = fromX.map((one, k) => t.add(one, fromH[k]!))
  const peepholes = hasInput(g.node, 7) ? split(g, d.part(7), 0, [d.hidden, d.hidden, d.hidden]) : undefined
  const [pi, po, pf] = peepholes ?? []
  const initial = hasInput(g.node, 6) ? d.part(6) : filled(g, x, state, 0)
  const cell = gates.gate(1, zc!)

  const forward = scan(
    g,
    { type, states: [initial], sequences: [zi!, zf!, cell.value].map((z) => stepped(g, d, z)), backwards: false },
    (body, [c], [zi, zf, candidate]) => {
      const t = calculator(body, x)
      const seen = (z: string, p: string | undefined) => (p === undefined ? z : t.add(z, t.mul(c!, p)))
      const [ziSeen, zfSeen] = [seen(zi!, pi), seen(zf!, pf)]
      const i = gates.value(body, 0, ziSeen)
      const f = coupled ? t.sub(1, i) : gates.value(body, 0, zfSeen)
      return { states: [t.add(t.mul(f, c!), t.mul(i, candidate!))], outputs: [ziSeen, zfSeen, c!] }
    },
  )
  const before = flat(g, d, forward.outputs[2]!)
  const [input, forget] = [
    gates.gate(0, flat(g, d, forward.outputs[0]!)),
    gates.gate(0, flat(g, d, forward.outputs[1]!)),
  ]
  const f = coupled ? t.sub(1, input.value) : forget.value
  const c = t.add(t.mul(f, before), t.mul(input.value, cell.value))
  const output = gates.gate(0, po === undefined ? zo! : t.add(zo!, t.mul(c, po)))
  const shown = gates.unclipped(2, c)

  const rates = [
    t.mul(shown.value, output.slope),
    t.mul(output.value, shown.slope),
    t.mul(coupled ? t.sub(cell.value, before) : cell.value, input.slope),
    coupled ? t.mul(before, 0) : t.mul(before, forget.slope),
    t.mul(input.value, cell.slope),
    f,
  ]
  const dCell = g.grads[2]
  const lastCell = dCell === undefined ? filled(g, x, state, 0) : cellPart(g, d, dCell)
  const { states, outputs } = scan(
    g,
    {
      type,
      states: [d.dLast, lastCell],
      sequences: sequencesWith(d, [d.dy, ...rates.map((rate) => stepped(g, d, rate))]),
      backwards: true,
    },
    (body, [dh, dcLater], [dy, rateO, rateC, rateI, rateF, rateCell, forget, within]) => {
      const { t, cut, pass } = masked(body, d, within)
      const total = cut(t.add(dh!, dy!))
      const dOut = t.mul(total, rateO!)
      const direct = t.add(cut(dcLater!), t.mul(total, rateC!))
      const dc = po === undefined ? direct : t.add(direct, t.mul(dOut, po))
      const [di, df] = [t.mul(dc, rateI!), t.mul(dc, rateF!)]
      const dz = concat(body, [di, dOut, df, t.mul(dc, rateCell!)], 1)
      const kept = t.mul(dc, forget!)
      const seen = pi === undefined || pf === undefined ? kept : t.add(kept, t.add(t.mul(di, pi), t.mul(df, pf)))
      return { states: [pass(body.b.op('MatMul', [dz, d.r]), dh!), pass(seen, dcLater!)], outputs: [dz] }
    },
  )
  const dz = flat(g, d, outputs[0]!, 4 * d.hidden)
  const [di, dOut, df] = split(g, dz, 1, [d.hidden, d.hidden, d.hidden, d.hidden])
  const others = new Map([[6, states[1]!]])
  if (peepholes !== undefined) {
    const seen = [t.mul(di!, before), t.mul(dOut!, c), t.mul(df!, before)]
    others.set(
      7,
      concat(
        g,
        seen.map((x) => sum(g, x, [0])),
        0,
      ),
    )
  }
  return { dz, dr: transposedProduct(g, dz, d.before), drBias: sum(g, dz, [0]), dInitial: states[0]!, others }
}

/** This direction's part of a value [directions, batch, hidden]. */
const cellPart = (g: GradientContext, d: Direction, value: string): string => {
  const own = d.directions === 1 ? value : slice(g, value, { axes: [0], starts: [d.index], ends: [d.index + 1] })
  return reshape(g, own, [d.batch, d.hidden])
}
