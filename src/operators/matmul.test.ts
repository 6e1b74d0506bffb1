import { matmulCases } from './cases/matmul.ts'
import { testGradients } from './testing/gradients.ts'

testGradients(matmulCases)
