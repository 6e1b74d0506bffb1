import { fourierCases } from './cases/fourier.ts'
import { imageCases, regionCases, unpoolCases } from './cases/images.ts'
import { determinantCases } from './cases/matmul.ts'
import { testGradients } from './testing/gradients.ts'

testGradients([...fourierCases, ...imageCases, ...regionCases, ...unpoolCases, ...determinantCases])
