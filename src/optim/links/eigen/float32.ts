/** Arithmetic in float32: every operation rounds. */
export const f = Math.fround

/** Σ xᵢyᵢ of rounded products, added up in double. */
export const dot = (x: Float32Array, y: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += f(x[i]! * y[i]!)
  return f(sum)
}

/** ‖x‖ of exact squares, added up in double. */
export const length = (x: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!
  return f(Math.sqrt(sum))
}

/** √(x² + y²) without overflow. */
export const hypot = (x: number, y: number): number => {
  const [most, least] = [Math.max(Math.abs(x), Math.abs(y)), Math.min(Math.abs(x), Math.abs(y))]
  if (least === 0) return most
  const ratio = f(least / most)
  return f(most * f(Math.sqrt(f(1 + f(ratio * ratio)))))
}

/** |size| with the sign of `like`. */
export const signed = (size: number, like: number): number =>
  like < 0 || Object.is(like, -0) ? -Math.abs(size) : Math.abs(size)

/**
 * A·x for the symmetric matrix whose lower triangle stands in `a`, n numbers a row, from row and column `from` on. Four
 * columns at a time: their square on the diagonal first, then the rows below, each element of A used for its mirror image
 * too; what is left below is a product of its own.
 */
export const symmetricTimes = (a: Float32Array, n: number, from: number, x: Float32Array): Float32Array => {
  const size = x.length
  const at = (row: number, column: number) => a[(from + row) * n + from + column]!
  const y = new Float32Array(size)
  const add = (i: number, column: number) => {
    y[i] = f(y[i]! + f(x[column]! * at(i, column)))
  }
  const blocked = size - (size % 4)
  const mirrored = new Float32Array(4)
  const mirror = (k: number, column: number, i: number) => {
    mirrored[k] = f(mirrored[k]! + f(at(i, column) * x[i]!))
  }
  if (blocked === 0) {
    for (let j = 0; j < size; j++) {
      mirrored[0] = 0
      add(j, j)
      for (let i = j + 1; i < size; i++) {
        add(i, j)
        mirror(0, j, i)
      }
      y[j] = f(y[j]! + mirrored[0]!)
    }
    return y
  }
  for (let j = 0; j < 4; j++) add(j, j)
  for (let j = 0; j < 4; j++)
    for (let i = j + 1; i < 4; i++) {
      add(i, j)
      mirror(j, j, i)
    }
  for (let i = 4; i < size; i++)
    for (let j = 0; j < 4; j++) {
      add(i, j)
      mirror(j, j, i)
    }
  for (let j = 0; j < 4; j++) y[j] = f(y[j]! + mirrored[j]!)
  if (size > 4) {
    const rest = symmetricTimes(a, n, from + 4, x.subarray(4))
    for (let i = 4; i < size; i++) y[i] = f(y[i]! + rest[i - 4]!)
  }
  return y
}
