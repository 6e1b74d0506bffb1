import { UsageError } from '../../base/index.ts'
import type { Criterion } from './types.ts'

/** Position of BatchNormalization's scale γ among its inputs. */
const scaleInput = 1

/**
 * |γ| of the BatchNormalization behind the layer, summed when coupled layers have several (Liu et al. 2017, "Learning
 * Efficient Convolutional Networks through Network Slimming", §3). Exporters often fold γ into the convolution; then it
 * cannot be asked.
 */
export const bnGamma: Criterion = {
  name: 'bn-gamma',
  needs: 'weights',
  score: ({ group, members }) => {
    const scales = members.filter((m) => m.operator === 'BatchNormalization' && m.input === scaleInput)
    if (scales.length === 0)
      throw new UsageError(
        `criterion bn-gamma: group '${group.name}' has no BatchNormalization (folded by the exporter?)`,
        {
          remedy: "use 'l2', or leave the group out with `keep`",
        },
      )
    const score = new Float64Array(group.size)
    for (const scale of scales) {
      const { absolute } = scale.moments()
      for (let unit = 0; unit < score.length; unit++) score[unit]! += absolute[unit]!
    }
    return score
  },
}
