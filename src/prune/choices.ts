import type { AxisReading } from '../operators/index.ts'
import type { RuleRun } from './rule-run.ts'
import type { AxisUnits } from './units.ts'

/** Readings of an operator of which one can hold. */
export type Choice = {
  readonly readings: readonly AxisReading[]
  readonly rule: RuleRun
  /** Runs a part of the rule; when it gives up, everything the node touches is frozen. */
  attempt(work: () => void): void
}

/**
 * How a merged axis is read where several ways hold, attention's [heads · dimensions] being the usual case: 'dimensions'
 * takes the same index out of every block where that gives more units, 'whole' takes whole blocks.
 */
export type Heads = 'dimensions' | 'whole'

/** Fewer units than this left on an axis, and nothing can be removed from it. */
const enough = 2

/**
 * Decides every open choice, in graph order, by how many units each reading leaves. A choice made early can spoil a later
 * one (channel shuffles split and merge the same axis), and a norm within the heads makes what is left of them approximate;
 * where that happens, the choices it touches are made once more the other way, and whichever outcome is better is kept.
 */
export const settleChoices = (units: AxisUnits, choices: readonly Choice[], heads: Heads): void => {
  if (choices.length > 0) settleAll(units, choices, heads)
  units.settle()
}

/** What was decided, and where it leaves nothing to remove ('spoilt') or nothing that can be removed exactly ('inexact'). */
type Outcome = {
  readonly turned: ReadonlySet<Choice>
  readonly taken: readonly AxisReading[]
  readonly spoilt: readonly number[]
  readonly inexact: readonly number[]
}

const isBetter = (a: Outcome, b: Outcome) =>
  a.spoilt.length < b.spoilt.length || (a.spoilt.length === b.spoilt.length && a.inexact.length < b.inexact.length)

const settleAll = (units: AxisUnits, choices: readonly Choice[], heads: Heads): void => {
  const restores = [units.snapshot(), ...[...new Set(choices.map(({ rule }) => rule))].map((rule) => rule.snapshot())]
  const restore = () => {
    for (const undo of restores) undo()
  }
  const other = heads === 'whole' ? 'dimensions' : 'whole'
  const outcomeOf = (turned: ReadonlySet<Choice>): Outcome => {
    const taken = decide(units, choices, (choice) => (turned.has(choice) ? other : heads))
    const where = (holds: (reading: AxisReading) => boolean) => [...taken.keys()].filter((i) => holds(taken[i]!))
    const spoilt = where((reading) => livesOf(units, reading) < enough)
    const inexact = where((reading) => livesOf(units, reading) >= enough && livesOf(units, reading, true) < enough)
    return { turned, taken, spoilt, inexact }
  }
  let best = outcomeOf(new Set())
  const turn = (readings: readonly AxisReading[]) => {
    if (readings.length === 0) return
    const turned = new Set([...best.turned, ...touchedBy(units, choices, readings)])
    restore()
    const next = outcomeOf(turned)
    if (isBetter(next, best)) {
      best = next
      return
    }
    restore()
    choices.forEach(({ attempt }, i) => {
      attempt(() => best.taken[i]!.state())
    })
  }
  turn(best.spoilt.map((i) => best.taken[i]!))
  turn(best.inexact.flatMap((i) => choices[i]!.readings))
}

/** Makes each choice and states it; the readings taken. */
const decide = (units: AxisUnits, choices: readonly Choice[], heads: (choice: Choice) => Heads): AxisReading[] =>
  choices.map((choice) => {
    const { readings, rule, attempt } = choice
    const lives = readings.map((reading) => {
      const undo = [units.snapshot(), rule.snapshot()]
      attempt(() => reading.state())
      const live = livesOf(units, reading)
      for (const back of undo) back()
      return live
    })
    // Readings stand outermost first. Of equal ones the innermost splits no block.
    const best =
      heads(choice) === 'dimensions' ? lives.lastIndexOf(Math.max(...lives)) : lives.findIndex((n) => n >= enough)
    const taken = readings[Math.max(best, 0)]!
    attempt(() => taken.state())
    return taken
  })

/** Units left on the axis of a reading that has fewest; `exact` counts those only that go without changing the others. */
const livesOf = (units: AxisUnits, reading: AxisReading, exact = false): number =>
  Math.min(...reading.axes.map((ref) => units.liveClasses(units.slot(ref), exact)))

/** The choices that share units with these readings. */
const touchedBy = (units: AxisUnits, choices: readonly Choice[], found: readonly AxisReading[]): Set<Choice> => {
  const classes = (readings: readonly AxisReading[]) =>
    readings.flatMap(({ axes }) =>
      axes.flatMap((ref) => {
        const slot = units.slot(ref)
        return units.tied(slot) ? Array.from({ length: units.sizeOf(slot) }, (_, i) => units.classOf(slot, i)) : []
      }),
    )
  const bad = new Set(classes(found))
  return new Set(choices.filter(({ readings }) => classes(readings).some((root) => bad.has(root))))
}
