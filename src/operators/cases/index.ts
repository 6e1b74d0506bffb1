import { convCases } from './conv.ts'
import { activationCases, elementwiseCases, functionCases } from './elementwise.ts'
import { fourierCases } from './fourier.ts'
import { imageCases, regionCases, unpoolCases } from './images.ts'
import { integerCases } from './integer.ts'
import { determinantCases, matmulCases } from './matmul.ts'
import { normalizationCases } from './normalization.ts'
import { poolingCases } from './pooling.ts'
import { recurrentCases } from './recurrent.ts'
import { reduceCases, softmaxCases } from './reduce.ts'
import { gridSampleCases, quantizeCases, resizeCases } from './resize.ts'
import { indexingCases, reshapeCases, segmentCases, shapeCases } from './shape.ts'
import type { OperatorCase } from './types.ts'

export type * from './types.ts'

/** The shared case table: every operator, every combination of attributes worth a line. */
export const operatorCases: readonly OperatorCase[] = [
  ...convCases,
  ...matmulCases,
  ...determinantCases,
  ...normalizationCases,
  ...poolingCases,
  ...recurrentCases,
  ...activationCases,
  ...elementwiseCases,
  ...functionCases,
  ...reduceCases,
  ...softmaxCases,
  ...fourierCases,
  ...gridSampleCases,
  ...imageCases,
  ...indexingCases,
  ...integerCases,
  ...quantizeCases,
  ...reshapeCases,
  ...resizeCases,
  ...regionCases,
  ...segmentCases,
  ...shapeCases,
  ...unpoolCases,
]
