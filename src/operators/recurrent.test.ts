import { recurrentCases } from './cases/recurrent.ts'
import { testGradients } from './testing/gradients.ts'

testGradients(recurrentCases)
