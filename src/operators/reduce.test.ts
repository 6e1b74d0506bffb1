import { reduceCases, softmaxCases } from './cases/reduce.ts'
import { testGradients } from './testing/gradients.ts'

testGradients([...reduceCases, ...softmaxCases])
