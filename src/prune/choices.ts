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
 * one (channel shuffles split and merge the same axis); where that happens, the choices it touches are made once more the
 * other way, and whichever outcome leaves fewer spoilt is kept.
 */
export const settleChoices = (units: AxisUnits, choices: readonly Choice[], heads: Heads): void => {
  if (choices.length > 0) settleAll(units, choices, heads)
  units.settle()
}

const settleAll = (units: AxisUnits, choices: readonly Choice[], heads: Heads): void => {
  const restores = [units.snapshot(), ...[...new Set(choices.map(({ rule }) => rule))].map((rule) => rule.snapshot())]
  const restore = () => {
    for (const undo of restores) undo()
  }
  const spoiltOf = (taken: readonly AxisReading[]) => taken.filter((reading) => livesOf(units, reading) < enough)
  const first = decide(units, choices, () => heads)
  const spoilt = spoiltOf(first)
  if (spoilt.length === 0) return
  const touched = touchedBy(units, choices, spoilt)
  const other = heads === 'whole' ? 'dimensions' : 'whole'
  restore()
  const second = decide(units, choices, (choice) => (touched.has(choice) ? other : heads))
  if (spoiltOf(second).length < spoilt.length) return
  restore()
  choices.forEach(({ attempt }, i) => {
    attempt(() => first[i]!.state())
  })
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

const livesOf = (units: AxisUnits, reading: AxisReading): number =>
  Math.min(...reading.axes.map((ref) => units.liveClasses(units.slot(ref))))

/** The choices that share units with spoilt ones. */
const touchedBy = (units: AxisUnits, choices: readonly Choice[], spoilt: readonly AxisReading[]): Set<Choice> => {
  const classes = (readings: readonly AxisReading[]) =>
    readings.flatMap(({ axes }) =>
      axes.flatMap((ref) => {
        const slot = units.slot(ref)
        return units.tied(slot) ? Array.from({ length: units.sizeOf(slot) }, (_, i) => units.classOf(slot, i)) : []
      }),
    )
  const bad = new Set(classes(spoilt))
  return new Set(choices.filter(({ readings }) => classes(readings).some((root) => bad.has(root))))
}
