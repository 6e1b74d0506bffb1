import { operatorCases } from './cases/index.ts'
import { testAxes } from './testing/axes.ts'

testAxes(operatorCases)
