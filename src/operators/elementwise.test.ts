import { activationCases, elementwiseCases, functionCases } from './cases/elementwise.ts'
import { testGradients } from './testing/gradients.ts'

testGradients([...elementwiseCases, ...activationCases, ...functionCases])
