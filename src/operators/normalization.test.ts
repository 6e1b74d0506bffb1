import { normalizationCases } from './cases/normalization.ts'
import { testGradients } from './testing/gradients.ts'

testGradients(normalizationCases)
