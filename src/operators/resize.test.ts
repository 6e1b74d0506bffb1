import { gridSampleCases, quantizeCases, resizeCases } from './cases/resize.ts'
import { testGradients } from './testing/gradients.ts'

testGradients([...resizeCases, ...quantizeCases, ...gridSampleCases])
