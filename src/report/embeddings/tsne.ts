import { random, UsageError } from '../../base/index.ts'
import { barnesHutForces, neighbourSimilarities } from './barnes-hut.ts'
import { exactForces, pairSimilarities } from './exact.ts'
import type { Forces } from './forces.ts'
import { pca } from './pca.ts'
import { checkPoints } from './points.ts'
import type { Plane, Points } from './types.ts'

export type TsneOptions = {
  /** Effective number of neighbours; default 30. Must be below the number of points. */
  readonly perplexity?: number
  /** Steps of gradient descent, the exaggerated ones included; default 1000. */
  readonly iterations?: number
  /** Factor on P during the first quarter of the steps, at most 250; default 12. */
  readonly earlyExaggeration?: number
  /** Default `'auto'`: max(rows / earlyExaggeration / 4, 50), after Belkina et al. 2019. */
  readonly learningRate?: number | 'auto'
  /**
   * Where the points start; default `'pca'`, which like `'random'` is scaled to standard deviation 1e-4 as scikit-learn
   * does. A map already made of the same points is taken as it is and only refined, without exaggeration (which would
   * forget it): so two states of one network give two pictures that can be compared.
   */
  readonly start?: 'pca' | 'random' | Plane
  /** Default: `'exact'` up to 1500 points, `'barnes-hut'` above. */
  readonly method?: 'exact' | 'barnes-hut'
  /** Barnes–Hut's accuracy: cells smaller than θ times their distance count as one point; default 0.5, 0 is exact. */
  readonly theta?: number
  /** Default 0. */
  readonly seed?: number
  /** Called every 50 steps and at the last. */
  readonly onEvent?: (event: TsneEvent) => void
}

export type TsneEvent = {
  readonly type: 'tsne'
  readonly iteration: number
  readonly iterations: number
  /** KL(P‖Q), without exaggeration. */
  readonly divergence: number
  readonly gradientNorm: number
}

export type Tsne = Plane & { readonly divergence: number; readonly iterations: number }

/**
 * t-SNE: a map of points in the plane where near neighbours stay near (van der Maaten and Hinton 2008; Barnes–Hut
 * approximation 2014). Gradient descent on KL(P‖Q) with momentum 0.5, then 0.8 once the early exaggeration ends, and a
 * gain per coordinate that grows by 0.2 while the gradient keeps its direction and shrinks by a fifth when it turns
 * (Jacobs 1988). The same points, options and seed give the same map.
 *
 * @param points one row per point; thousands of columns are fine for the exact method, for Barnes–Hut reduce them first
 *   with `pca` to some 50.
 */
export const tsne = (points: Points, options: TsneOptions = {}): Tsne => {
  checkPoints(points)
  const n = points.rows
  const perplexity = options.perplexity ?? 30
  const iterations = options.iterations ?? 1000
  const exaggeration = options.earlyExaggeration ?? 12
  if (!(perplexity >= 1) || perplexity >= n)
    throw new UsageError(`a perplexity of ${perplexity} needs more than ${perplexity} points and there are ${n}`)
  const rate = options.learningRate ?? 'auto'
  const step = rate === 'auto' ? Math.max(n / exaggeration / 4, 50) : rate
  const exploring = typeof options.start === 'object' ? 0 : Math.min(250, Math.floor(iterations / 4))
  const forces = forcesOf(points, perplexity, options)

  const map = startOf(points, options)
  const slope = plane(n)
  const speed = plane(n)
  const gains = { x: new Float64Array(n).fill(1), y: new Float64Array(n).fill(1) }
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const early = iteration <= exploring
    forces.gradient(map, early ? exaggeration : 1, slope)
    const momentum = early ? 0.5 : 0.8
    move(map.x, slope.x, speed.x, gains.x, momentum, step)
    move(map.y, slope.y, speed.y, gains.y, momentum, step)
    if (options.onEvent && (iteration % 50 === 0 || iteration === iterations)) {
      const gradientNorm = Math.sqrt(slope.x.reduce((sum, gx, i) => sum + gx * gx + slope.y[i]! ** 2, 0))
      options.onEvent({ type: 'tsne', iteration, iterations, divergence: forces.divergence(map), gradientNorm })
    }
  }
  return { ...map, divergence: forces.divergence(map), iterations }
}

const forcesOf = (points: Points, perplexity: number, options: TsneOptions): Forces =>
  (options.method ?? (points.rows <= 1500 ? 'exact' : 'barnes-hut')) === 'exact'
    ? exactForces(pairSimilarities(points, perplexity), points.rows)
    : barnesHutForces(neighbourSimilarities(points, perplexity, options.seed ?? 0), options.theta ?? 0.5)

const plane = (n: number): Plane => ({ x: new Float64Array(n), y: new Float64Array(n) })

const startOf = (points: Points, { start = 'pca', seed = 0 }: TsneOptions): Plane => {
  const n = points.rows
  const map = plane(n)
  if (start === 'random') {
    const generator = random(seed)
    for (const axis of [map.x, map.y]) for (let i = 0; i < n; i++) axis[i] = generator.normal()
  } else if (start === 'pca') {
    const components = Math.min(2, points.columns)
    const { projected } = pca(points, { components, seed })
    for (let i = 0; i < n; i++) {
      map.x[i] = projected.values[i * components]!
      map.y[i] = components === 2 ? projected.values[i * 2 + 1]! : 0
    }
  } else {
    if (start.x.length !== n || start.y.length !== n)
      throw new UsageError(`the start has ${start.x.length} positions for ${n} points`)
    map.x.set(start.x)
    map.y.set(start.y)
    return map
  }
  const mean = map.x.reduce((sum, v) => sum + v, 0) / n
  const deviation = Math.sqrt(map.x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n)
  // Points that are all the same have no direction to start along: nothing to scale.
  const scale = deviation > 0 ? 1e-4 / deviation : 0
  for (let i = 0; i < n; i++) {
    map.x[i]! *= scale
    map.y[i]! *= scale
  }
  return map
}

const move = (
  at: Float64Array,
  slope: Float64Array,
  speed: Float64Array,
  gains: Float64Array,
  momentum: number,
  step: number,
): void => {
  for (let i = 0; i < at.length; i++) {
    const turned = speed[i]! * slope[i]! >= 0
    const gain = Math.max(0.01, turned ? gains[i]! * 0.8 : gains[i]! + 0.2)
    gains[i] = gain
    const v = momentum * speed[i]! - step * gain * slope[i]!
    speed[i] = v
    at[i]! += v
  }
}
