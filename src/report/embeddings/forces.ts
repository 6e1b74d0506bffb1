import type { Plane } from './types.ts'

/**
 * What the descent asks of a set of similarities P: the gradient of KL(P‖Q) at a map of the points, where
 * q_ij ∝ w_ij = 1 / (1 + ‖y_i − y_j‖²), and the divergence itself.
 *
 * ∂KL/∂y_i = 4 Σ_j (p_ij − q_ij) w_ij (y_i − y_j)          (van der Maaten and Hinton 2008, eq. 5)
 *          = 4 (Σ_j p_ij w_ij (y_i − y_j) − 1/Z Σ_j w_ij² (y_i − y_j)),  Z = Σ_{k≠l} w_kl
 */
export type Forces = {
  /** Writes the gradient at `map` with every p_ij multiplied by `exaggeration`. */
  gradient(map: Plane, exaggeration: number, out: Plane): void
  /** KL(P‖Q) at `map`. */
  divergence(map: Plane): number
}
