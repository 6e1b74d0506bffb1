import { features } from './features.ts'
import { products } from './products.ts'
import { rest } from './rest.ts'
import { shapes } from './shapes.ts'

/**
 * Every operator that makes dependency graphs hard, and what is done with the units that pass through it: they go, they stay
 * for a reason, or they go on request alone. Quantized convolutions stand in `integer.test.ts`, fused operators in
 * `fused.test.ts`.
 */
export const treatments = [...products, ...shapes, ...features, ...rest]
