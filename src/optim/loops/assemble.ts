import type { Expression, Rule } from './expression.ts'
import {
  type Code,
  double,
  during,
  end,
  four,
  get,
  i32,
  leb,
  one,
  section,
  set,
  sized,
  text,
  types,
} from './instructions.ts'

/**
 * A WASM module whose function `run(n, length, address of each array…, each scalar…)` applies a rule to n elements of arrays
 * in the imported memory, in runs of a length that divides n: four elements at a time, then one at a time what is left.
 */
export const assemble = (rule: Rule, pages: number): Uint8Array<ArrayBuffer> => {
  const { i32, f32 } = types
  const parameters = [i32, i32, ...Array(rule.arrays).fill(i32), ...Array(rule.scalars).fill(f32)]
  const memory = [0x02, 0x00, ...leb(pages)]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // '\0asm', version 1
    ...section(1, [[0x60, ...sized(parameters), ...sized([])]]), // types: parameters → nothing
    ...section(2, [[...text('loops'), ...text('memory'), ...memory]]), // imports
    ...section(3, [[0]]), // functions: one, of type 0
    ...section(7, [[...text('run'), 0, 0]]), // exports: function 0
    ...section(10, [sized(functionBody(rule))]), // code
  ])
}

type Width = typeof four

const functionBody = ({ arrays, scalars, values, results }: Rule): Code => {
  // The locals: parameters first.
  const [n, length, firstArray, firstScalar] = [0, 1, 2, 2 + arrays]
  const at = firstScalar + scalars // byte position of an element, the same in all arrays
  const [stop, runStop, from] = [at + 1, at + 2, at + 3]
  const firstSum = from + 1 // four of two doubles: sums of elements 0 and 1, 2 and 3, 4 and 5, 6 and 7 of every eight
  const sum = firstSum + 4
  const firstFour = sum + 1
  const firstOne = firstFour + values.length
  const localFour = new Map(values.map((value, i) => [value, firstFour + i]))
  const localOne = new Map(values.map((value, i) => [value, firstOne + i]))

  const address = (array: number) => [...get(firstArray + array), ...get(at), ...i32.add]
  const untilStop = (body: Code, bytes: number) =>
    during(
      [...get(at), ...get(stop), ...i32.below],
      [...body, ...get(at), ...i32.constant(bytes), ...i32.add, ...set(at)],
    )
  const bytesOf = (elements: number) => [...get(elements), ...i32.constant(2), ...i32.shl]

  /** Something for every element of a run: for all the blocks of so many bytes in it, then for the others one by one. */
  const throughRun = (bytes: number, forBlock: Code, forOne: Code): Code => [
    ...[...get(from), ...set(at)],
    ...[...get(from), ...bytesOf(length), ...i32.constant(-bytes), ...i32.and, ...i32.add, ...set(stop)],
    ...untilStop(forBlock, bytes),
    ...[...get(runStop), ...set(stop)],
    ...untilStop(forOne, one.bytes),
  ]

  /** The mean of a run, rounded to float32 at the end. Four sums side by side: one addition need not wait for the last. */
  const mean = (array: number, into: number): Code => {
    const { pair } = double
    const sums = [0, 1, 2, 3].map((k) => firstSum + k)
    const addPair = (total: number, offset: number) => [
      ...[...get(total), ...address(array), ...pair.loadSingles(offset), ...pair.add, ...set(total)],
    ]
    const [a = 0, b = 0, c = 0, d = 0] = sums
    const both = [...get(a), ...get(c), ...pair.add, ...get(b), ...get(d), ...pair.add, ...pair.add]
    return [
      ...sums.flatMap((total) => [...pair.zero, ...set(total)]),
      ...[...double.zero, ...set(sum)],
      ...throughRun(
        2 * four.bytes,
        sums.flatMap((total, k) => addPair(total, 8 * k)),
        [...get(sum), ...address(array), ...one.load, ...double.ofSingle, ...double.add, ...set(sum)],
      ),
      ...[...both, ...set(a), ...get(a), ...pair.first, ...get(a), ...pair.second, ...double.add],
      ...[...get(sum), ...double.add],
      ...[...get(length), ...double.ofInteger, ...double.div, ...double.toSingle, ...set(into)],
    ]
  }

  /** All values of an element, each in a local of its own, then the results stored. */
  const element = (width: Width, locals: ReadonlyMap<Expression, number>): Code => {
    const local = (value: Expression) => locals.get(value) ?? 0
    const codeOf = (value: Expression): Code => {
      switch (value.op) {
        case 'scalar':
        case 'mean':
          return [] // already there
        case 'array':
          return [...address(value.index), ...width.load, ...set(local(value))]
        case 'sqrt':
          return [...get(local(value.a)), ...width.sqrt, ...set(local(value))]
        default:
          return [...get(local(value.a)), ...get(local(value.b)), ...width[value.op], ...set(local(value))]
      }
    }
    const store = ({ array, value }: Rule['results'][number]) => [
      ...[...address(array), ...get(local(value)), ...width.store],
    ]
    return [...values.flatMap(codeOf), ...results.flatMap(store)]
  }

  /** What is the same for a whole run. */
  const fixed = values.flatMap((value) => {
    const [ones, fours] = [localOne.get(value) ?? 0, localFour.get(value) ?? 0]
    const spread = [...get(ones), ...four.splat, ...set(fours)]
    if (value.op === 'scalar') return [...get(firstScalar + value.index), ...set(ones), ...spread]
    if (value.op === 'mean') return [...mean(value.index, ones), ...spread]
    return []
  })

  const { i32: integer, f32, f64, v128 } = types
  return [
    ...leb(5),
    ...[4, integer, 4, v128, 1, f64],
    ...[...leb(values.length), v128],
    ...[...leb(values.length), f32],
    ...during(
      [...get(from), ...bytesOf(n), ...i32.below],
      [
        ...[...get(from), ...bytesOf(length), ...i32.add, ...set(runStop)],
        ...fixed,
        ...throughRun(four.bytes, element(four, localFour), element(one, localOne)),
        ...[...get(runStop), ...set(from)],
      ],
    ),
    ...end,
  ]
}
