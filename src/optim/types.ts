/**
 * What a parameter is to its layer, which tells the axis of its output units: gradient centralization averages over all
 * the other axes. 'conv' is [out, in/groups, ...kernel], 'conv-transpose' [in, out/groups, ...kernel], 'dense' [out, in]
 * (Gemm with transB), 'dense-in-out' [in, out] (MatMul, Gemm), 'embedding' [rows, width], 'vector' a bias or a norm's
 * scale, 'other' anything else (treated as [out, ...rest] when it has two axes or more).
 */
export type Role = 'conv' | 'conv-transpose' | 'dense' | 'dense-in-out' | 'embedding' | 'vector' | 'other'

/** A trainable tensor: its values are changed in place by optimizers. */
export type Parameter = {
  readonly name: string
  readonly dims: readonly number[]
  readonly role: Role
  readonly values: Float32Array
}
