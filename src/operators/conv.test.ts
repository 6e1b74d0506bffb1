import { convCases } from './cases/conv.ts'
import { testGradients } from './testing/gradients.ts'

testGradients(convCases)
