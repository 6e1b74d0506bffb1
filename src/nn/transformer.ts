import { bool, EspalierError, float32, int64, sizeOf } from '../base/index.ts'
import { float } from '../onnx/index.ts'
import { ones, truncatedNormal, zeros } from './init.ts'
import { add, conv } from './layers.ts'
import { append, drawn, type Net, type Value } from './net.ts'

// Values here are sequences: [tokens, width] for each sample.

/** The same dense layer on every token, x·W + b, with `<name>.weight` [in, out] and `<name>.bias` [out]: MatMul and Add. */
export const tokenLinear = (
  net: Net,
  name: string,
  x: Value,
  { to, output }: { to: number; output?: string },
): Value => {
  const [tokens, from] = tokensOf(x, name)
  const drawnRows = net.weight([to, from], net.random)
  const columns = Float32Array.from({ length: from * to }, (_, i) => drawnRows[(i % to) * from + Math.floor(i / to)]!)
  const weight = net.b.initializer(`${name}.weight`, float32([from, to], columns))
  const product = append(net, `${name}.matmul`, 'MatMul', [x.name, weight])
  const bias = drawn(net, `${name}.bias`, [to], net.bias(from))
  return { name: append(net, name, 'Add', [product, bias], {}, output), dims: [tokens, to], layer: name }
}

/** Ba, Kiros and Hinton, "Layer normalization", 2016: each token to mean 0 and variance 1, then scaled and shifted. */
export const layerNorm = (net: Net, name: string, x: Value, output?: string): Value => {
  const [, width] = tokensOf(x, name)
  const inputs = [x.name, drawn(net, `${name}.weight`, [width], ones), drawn(net, `${name}.bias`, [width], zeros)]
  const value = append(net, name, 'LayerNormalization', inputs, { axis: -1, epsilon: float(1e-5) }, output)
  return { ...x, name: value, layer: name }
}

/** x · Φ(x) = x/2 · (1 + erf(x/√2)). Hendrycks and Gimpel, "Gaussian error linear units", 2016. */
export const gelu = (net: Net, x: Value): Value => {
  const at = (part: string) => `${x.layer}.gelu.${part}`
  const scaled = append(net, at('scaled'), 'Div', [x.name, net.b.scalar(Math.SQRT2, 'sqrt2')])
  const erf = append(net, at('erf'), 'Erf', [scaled])
  const twice = append(net, at('twice'), 'Mul', [
    x.name,
    append(net, at('shifted'), 'Add', [erf, net.b.scalar(1, 'one')]),
  ])
  return { ...x, name: append(net, `${x.layer}.gelu`, 'Mul', [twice, net.b.scalar(0.5, 'half')]) }
}

export type AttentionOptions = {
  heads: number
  /** Whether a token sees only itself and those before it; false unless said. */
  causal?: boolean
}

/**
 * Multi-head self-attention: softmax(QKᵀ/√d)·V in each head, with layers `<name>.query`, `.key`, `.value`, `.out`.
 * Vaswani et al., "Attention is all you need", NeurIPS 2017, §3.2.
 */
export const attention = (net: Net, name: string, x: Value, { heads, causal = false }: AttentionOptions): Value => {
  const [tokens, width] = tokensOf(x, name)
  if (width % heads !== 0)
    throw new EspalierError(`layer '${name}': ${width} features do not split into ${heads} heads`)
  const at = (part: string) => `${name}.${part}`
  const split = net.b.constant(int64([4], [0, 0, heads, width / heads]), 'heads')
  const perHead = (part: string, perm: number[]) => {
    const projected = tokenLinear(net, at(part), x, { to: width })
    const reshaped = append(net, at(`${part}.heads`), 'Reshape', [projected.name, split])
    return append(net, at(`${part}.perHead`), 'Transpose', [reshaped], { perm })
  }
  const query = perHead('query', [0, 2, 1, 3])
  const key = perHead('key', [0, 2, 3, 1])
  const value = perHead('value', [0, 2, 1, 3])
  const products = append(net, at('products'), 'MatMul', [query, key])
  let scores = append(net, at('scores'), 'Mul', [products, net.b.scalar(Math.sqrt(heads / width), 'scale')])
  if (causal)
    scores = append(net, at('masked'), 'Where', [causalMask(net, tokens), scores, net.b.scalar(-1e9, 'hidden')])
  const shares = append(net, at('shares'), 'Softmax', [scores], { axis: -1 })
  const mixed = append(net, at('mixed'), 'MatMul', [shares, value])
  const gathered = append(net, at('gathered'), 'Transpose', [mixed], { perm: [0, 2, 1, 3] })
  const joined = append(net, at('joined'), 'Reshape', [gathered, net.b.constant(int64([3], [0, 0, width]), 'joined')])
  return tokenLinear(net, at('out'), { ...x, name: joined }, { to: width })
}

/** Which keys (columns) each query (row) sees: its own and those before. One table for all layers, and nothing to train. */
const causalMask = (net: Net, tokens: number): string => {
  const name = 'causal_mask'
  if (net.b.graph.initializers.has(name)) return name
  const sees = Array.from({ length: tokens * tokens }, (_, i) => i % tokens <= Math.floor(i / tokens))
  return net.b.initializer(name, bool([tokens, tokens], sees))
}

export type BlockOptions = AttentionOptions & {
  /** Width of the hidden layer between the two dense ones, as a multiple of the tokens'; 4 unless said. */
  expansion?: number
}

/** A transformer block with the normalization first: x + attention(norm(x)), then x + mlp(norm(x)). */
export const transformerBlock = (net: Net, name: string, input: Value, options: BlockOptions): Value => {
  const { expansion = 4 } = options
  const at = (part: string) => `${name}.${part}`
  const [, width] = tokensOf(input, name)
  const attended = attention(net, at('attention'), layerNorm(net, at('norm1'), input), options)
  const x = add(net, at('add1'), input, attended)
  const hidden = gelu(net, tokenLinear(net, at('mlp.0'), layerNorm(net, at('norm2'), x), { to: expansion * width }))
  return add(net, at('add2'), x, tokenLinear(net, at('mlp.1'), hidden, { to: width }))
}

/** Adds a trained vector for each position, `<name>` [1, tokens, width]. */
export const positions = (net: Net, name: string, x: Value): Value => {
  const table = drawn(net, name, [1, ...x.dims], truncatedNormal())
  return { ...x, name: append(net, `${name}.add`, 'Add', [x.name, table]) }
}

/** An image as tokens, one for each square patch, by a convolution that steps from patch to patch. */
export const patches = (net: Net, name: string, x: Value, { to, size }: { to: number; size: number }): Value => {
  const embedded = conv(net, name, x, { to, kernel: size, stride: size })
  const tokens = sizeOf(embedded.dims.slice(1))
  const shape = net.b.constant(int64([3], [0, to, tokens]), 'patches')
  const flat = append(net, `${name}.flat`, 'Reshape', [embedded.name, shape])
  return {
    name: append(net, `${name}.tokens`, 'Transpose', [flat], { perm: [0, 2, 1] }),
    dims: [tokens, to],
    layer: name,
  }
}

/** Whole numbers as rows of a trained table, `<name>.weight` [entries, width]. */
export const embedding = (
  net: Net,
  name: string,
  x: Value,
  { entries, to }: { entries: number; to: number },
): Value => {
  const table = drawn(net, `${name}.weight`, [entries, to], truncatedNormal())
  return { name: append(net, name, 'Gather', [table, x.name], { axis: 0 }), dims: [...x.dims, to], layer: name }
}

/** The mean over all tokens: [tokens, width] to [width]. */
export const meanOfTokens = (net: Net, x: Value, output?: string): Value => ({
  ...x,
  name: append(net, `${x.layer}.mean`, 'ReduceMean', [x.name], { axes: [1], keepdims: 0 }, output),
  dims: x.dims.slice(1),
})

const tokensOf = (x: Value, layer: string): [tokens: number, width: number] => {
  const [tokens, width, more] = x.dims
  if (tokens === undefined || width === undefined || more !== undefined)
    throw new EspalierError(`layer '${layer}' takes [N, tokens, width] and was given [N, ${x.dims.join(', ')}]`)
  return [tokens, width]
}
