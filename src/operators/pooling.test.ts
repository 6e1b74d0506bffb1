import { poolingCases } from './cases/pooling.ts'
import { testGradients } from './testing/gradients.ts'

testGradients(poolingCases)
