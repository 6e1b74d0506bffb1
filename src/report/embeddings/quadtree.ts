import type { Plane } from './types.ts'

/** Deeper cells than this hold points that coincide for every purpose here. */
const deepest = 40

/**
 * A quadtree over a map, rebuilt each step in arrays that are kept (Barnes and Hut 1986). A cell knows how many points it
 * holds and the sum of their positions; its four children, if any, lie at `children[cell]` and the next three.
 */
export class Quadtree {
  private mass = new Float64Array(0)
  private sumX = new Float64Array(0)
  private sumY = new Float64Array(0)
  private width = new Float64Array(0)
  private children = new Int32Array(0)
  private cells = 0
  private readonly stack = new Int32Array(4 * deepest + 8)

  build({ x, y }: Plane): void {
    const n = x.length
    let [left, right, bottom, top] = [x[0]!, x[0]!, y[0]!, y[0]!]
    for (let i = 1; i < n; i++) {
      left = Math.min(left, x[i]!)
      right = Math.max(right, x[i]!)
      bottom = Math.min(bottom, y[i]!)
      top = Math.max(top, y[i]!)
    }
    const side = Math.max(right - left, top - bottom, Number.MIN_VALUE)
    this.cells = 0
    this.add(side)
    for (let i = 0; i < n; i++) this.insert(x[i]!, y[i]!, left, bottom, side)
  }

  /**
   * Walks the cells seen from (px, py), a cell narrower than θ times its distance counting as one point at its centre:
   * adds Σ w² (y_i − y_j) to `force` and returns Σ w, the point itself included with w = 1.
   */
  repulsion(px: number, py: number, theta: number, force: Float64Array): number {
    const { mass, sumX, sumY, width, children } = this
    const stack = this.stack
    const limit = theta * theta
    let total = 0
    let top = 0
    stack[top++] = 0
    while (top > 0) {
      const cell = stack[--top]!
      const m = mass[cell]!
      if (m === 0) continue
      const dx = px - sumX[cell]! / m
      const dy = py - sumY[cell]! / m
      const squared = dx * dx + dy * dy
      const first = children[cell]!
      if (first === 0 || width[cell]! ** 2 < limit * squared) {
        const w = 1 / (1 + squared)
        total += m * w
        force[0]! += m * w * w * dx
        force[1]! += m * w * w * dy
      } else for (let k = 0; k < 4; k++) stack[top++] = first + k
    }
    return total
  }

  private insert(px: number, py: number, left: number, bottom: number, side: number): void {
    let [cell, half, x0, y0] = [0, side / 2, left, bottom]
    for (let depth = 0; ; depth++) {
      const held = this.mass[cell]!
      if (held === 0 || (this.children[cell] === 0 && depth === deepest)) break
      if (this.children[cell] === 0) {
        // A second point in a leaf: the first moves down into the quarter it lies in.
        const first = this.add(half)
        for (let k = 1; k < 4; k++) this.add(half)
        this.children[cell] = first
        const ox = this.sumX[cell]! / held
        const oy = this.sumY[cell]! / held
        this.put(first + quarter(ox, oy, x0 + half, y0 + half), ox * held, oy * held, held)
      }
      this.put(cell, px, py, 1)
      const next = quarter(px, py, x0 + half, y0 + half)
      cell = this.children[cell]! + next
      if (next & 1) x0 += half
      if (next & 2) y0 += half
      half /= 2
    }
    this.put(cell, px, py, 1)
  }

  private put(cell: number, x: number, y: number, m: number): void {
    this.mass[cell]! += m
    this.sumX[cell]! += x
    this.sumY[cell]! += y
  }

  private add(width: number): number {
    if (this.cells === this.mass.length) this.grow()
    const cell = this.cells++
    this.mass[cell] = 0
    this.sumX[cell] = 0
    this.sumY[cell] = 0
    this.width[cell] = width
    this.children[cell] = 0
    return cell
  }

  private grow(): void {
    const size = Math.max(1024, 2 * this.mass.length)
    this.mass = grown(this.mass, new Float64Array(size))
    this.sumX = grown(this.sumX, new Float64Array(size))
    this.sumY = grown(this.sumY, new Float64Array(size))
    this.width = grown(this.width, new Float64Array(size))
    this.children = grown(this.children, new Int32Array(size))
  }
}

const quarter = (x: number, y: number, middleX: number, middleY: number) =>
  (x >= middleX ? 1 : 0) + (y >= middleY ? 2 : 0)

const grown = <A extends Float64Array | Int32Array>(old: A, larger: A): A => {
  larger.set(old)
  return larger
}
