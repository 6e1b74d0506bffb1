/** The word among `known` that a mistyped one was probably meant to be, if any is near enough. */
export const nearest = (word: string, known: readonly string[]): string | undefined => {
  const short = word.slice(0, 64).toLowerCase()
  const most = short.length < 6 ? 1 : short.length < 10 ? 2 : 3
  const ranked = known
    .map((name) => ({ name, far: name.length > short.length && name.startsWith(short) ? 1 : distance(short, name) }))
    .filter(({ name, far }) => far <= most && far < name.length)
    .sort((a, b) => a.far - b.far)
  return ranked[0]?.name
}

/** Letters to insert, delete, replace or swap with their neighbour to make one word of the other. */
const distance = (a: string, b: string): number => {
  let [before, last]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1)
    }
    ;[before, last] = [last, row]
  }
  return last[b.length]!
}
