import { freezeAll, gradOf, inputOf, reshape } from './helpers.ts'
import { type AxisRule, free, type GradientRule, type Operator } from './types.ts'

/** y is zeros with x written at the indices, which count through all of y: x gets dy from there. */
const gradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  return [g.b.op('Gather', [reshape(g, dy, [-1]), inputOf(g.node, 1)], { axis: 0 })]
}

const axes: AxisRule = (a) => freezeAll(a, 'indices of the pool count through all channels')

export const unpool = {
  MaxUnpool: { gradient, axes, macs: free },
} satisfies Record<string, Operator>
