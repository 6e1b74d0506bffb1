import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { float32, float32Of, type Tensor } from '../base/index.ts'
import { decodeSafetensors } from '../formats/index.ts'
import { adam, ranger } from './presets/index.ts'
import { recipeFor } from './replay/index.ts'
import { restoreState } from './state.ts'
import { torchState } from './torch-state.ts'
import type { Parameter } from './types.ts'

/** Runs recorded by scripts/torch-states.py: a state after 7 steps and the 5 steps that follow. */
const folder = 'src/optim/testing/torch-states'
const load = (file: string) => {
  const { tensors, metadata } = decodeSafetensors(readFileSync(`${folder}/${file}`))
  const part = (prefix: string) =>
    new Map(
      [...tensors].flatMap(([key, t]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), t] as const] : [])),
    )
  const weights = part('weights:start:')
  const parameters = [...weights].map(([name, { dims, bytes }]): Parameter => {
    const role = dims.length === 4 ? 'conv' : dims.length === 2 ? 'dense' : 'vector'
    return { name, dims, role, values: float32Of({ type: 'float32', dims, bytes }).slice() }
  })
  const recipe = recipeFor(metadata.source!, JSON.parse(metadata.options!))
  return { part, parameters, recipe, state: part('state:') }
}

const transpose = ({ dims: [rows = 1, columns = 1], ...t }: Tensor): Tensor => {
  const values = float32Of({ dims: [rows, columns], ...t })
  return float32(
    [columns, rows],
    values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!),
  )
}

const distance = (a: Float32Array, b: Float32Array) =>
  Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0) / b.reduce((sum, x) => sum + x * x, 0))

const adamRun = load('adam.safetensors')

describe("a run goes on from a PyTorch optimizer's state", () => {
  test.each(readdirSync(folder))('%s', (file) => {
    const { part, parameters, recipe, state } = load(file)
    const running = recipe.start(parameters)
    restoreState(running, torchState(running, state))
    for (let step = 0; step < 5; step++) {
      running.step(new Map([...part(`gradient:${step}:`)].map(([name, t]) => [name, float32Of(t)])))
      const expected = part(`weights:${step}:`)
      for (const { name, values } of parameters)
        expect(distance(values, float32Of(expected.get(name)!)), `${name}, step ${step}`).toBeLessThan(2e-6)
    }
  })

  test('under other names, a matrix stored transposed', () => {
    const { part, recipe, state } = load('adam.safetensors')
    const names = { 'onnx::MatMul_7': '2.weight' }
    const parameters = load('adam.safetensors').parameters.map((p): Parameter => {
      if (p.name !== '2.weight') return p
      const turned = transpose(float32(p.dims, p.values))
      return { name: 'onnx::MatMul_7', dims: turned.dims, role: 'dense-in-out', values: float32Of(turned) }
    })
    const running = recipe.start(parameters)
    restoreState(running, torchState(running, state, { names }))
    const gradients = [...part('gradient:0:')].map(([name, t]): [string, Float32Array] =>
      name === '2.weight' ? ['onnx::MatMul_7', float32Of(transpose(t))] : [name, float32Of(t)],
    )
    running.step(new Map(gradients))
    const matrix = parameters.find(({ name }) => name === 'onnx::MatMul_7')!
    expect(distance(matrix.values, float32Of(transpose(part('weights:0:').get('2.weight')!)))).toBeLessThan(2e-6)
  })

  test('into an optimizer that has more: the rest stays as it starts', () => {
    const { parameters, state } = load('radam.safetensors')
    const running = ranger({ betas: [0.9, 0.999] }).start(parameters)
    const restored = torchState(running, state)
    expect(restored.scalars).toMatchObject({ count: 7, steps: { '0.weight': 7, '2.bias': 7 } })
    restoreState(running, restored)
    const slots = (link: string) => running.links.find(({ key }) => key === link)!.slots.get('0.weight')!
    expect(slots('radam').momentum).toEqual(float32Of(state.get('0.weight:exp_avg')!))
    expect(slots('lookahead').slow).toEqual(parameters.find(({ name }) => name === '0.weight')!.values)
  })
})

describe('a PyTorch state that does not fit is refused', () => {
  const { parameters, recipe, state } = adamRun
  const without = (name: string) => new Map([...state].filter(([key]) => !key.startsWith(name)))

  test('with a parameter missing', () =>
    expect(() => torchState(recipe.start(parameters), without('2.bias'))).toThrow(/'2.bias'.*nothing of '2.bias'/))
  test('with one too many', () =>
    expect(() => torchState(recipe.start(parameters.slice(1)), state)).toThrow(/0.weight:\w+.*belongs to no parameter/))
  test('of another optimizer', () =>
    expect(() => torchState(adam().start(parameters), state)).toThrow(/no place for PyTorch's 'max_exp_avg_sq'/))
  test('of another shape', () => {
    const wrong = new Map(state).set('2.weight:exp_avg', float32([4, 11], new Float32Array(44)))
    expect(() => torchState(recipe.start(parameters), wrong)).toThrow(/shape \[4, 11\], not \[4, 12\]/)
  })
})
