import { sizeOf } from '../../base/index.ts'
import { crossEntropy } from './classes.ts'
import type { LossOptions, Rule } from './types.ts'

/**
 * Cross-entropy of language models, whose scores [N, tokens…, C] have their classes last: every token is a sample, its label
 * [N, tokens…] the class that is right there.
 */
export const tokenCrossEntropy = (options: LossOptions): Rule => {
  const rule = crossEntropy(options)
  return {
    ...rule,
    targets: (dims) => ({ labels: { type: 'int64', dims: dims.slice(0, -1) } }),
    build: (b, output, targets, dims) => {
      const flat = [sizeOf(dims.slice(0, -1)), dims.at(-1) ?? 1]
      const scores = b.op('Reshape', [output, b.ints(flat)])
      const labels = b.op('Reshape', [targets.labels!, b.ints([-1])])
      return rule.build(b, scores, { labels }, flat)
    },
  }
}
