/** A table of points, one per row, row-major: `values[row * columns + column]`. */
export type Points = {
  readonly rows: number
  readonly columns: number
  readonly values: Float32Array | Float64Array
}

/** Positions of points in the plane, in the order of the rows they came from. */
export type Plane = { readonly x: Float64Array; readonly y: Float64Array }
