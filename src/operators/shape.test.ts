import { indexingCases, reshapeCases, segmentCases, shapeCases } from './cases/shape.ts'
import { testGradients } from './testing/gradients.ts'

testGradients([...reshapeCases, ...shapeCases, ...segmentCases, ...indexingCases])
