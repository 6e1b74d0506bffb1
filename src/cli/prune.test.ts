import { createHash } from 'node:crypto'
import { copyFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { float32, sizeOf } from '../base/index.ts'
import { readModel, writeModel } from '../onnx/file.ts'
import type { Model } from '../onnx/index.ts'
import type { GroupReport, Plan } from '../prune/index.ts'
import { espalier, json, spawned, temporary, writeDigits, writeNetwork } from './testing/cli.ts'

let folder: string
const at = (name: string) => join(folder, name)

type Document = {
  out?: string
  plan: Plan
  before: { parameters: number; bytes: number; macs: number }
  after: { parameters: number; bytes: number; macs: number }
  groups: GroupReport[]
  target?: { quantity: string; goal: number; reached: number }
  rounds?: { round: number; loss: number; accuracy: number; passes: boolean }[]
  proof?: { equal: boolean; difference: number }
}

beforeAll(async () => {
  folder = await temporary()
  await writeNetwork(folder, 'tf-cnn')
  await writeNetwork(folder, 'resnet-20')
  await writeNetwork(folder, 'lenet-300-100')
  await writeDigits(folder)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const dimsOf = (model: Model, name: string) => model.graph.initializers.get(name)?.dims
const keptOf = ({ plan }: Document) => plan.groups.map(({ kept }) => kept)
const same = async (a: string, b: string) => (await readFile(a)).equals(await readFile(b))
const readPlan = async (name: string): Promise<Plan> => JSON.parse(await readFile(at(name), 'utf8'))

describe('the plan file is as the contract has it', () => {
  /** Takes kept indices out of one axis, by counting through all of them. */
  const taken = (bytes: Uint8Array, dims: readonly number[], axis: number, kept: readonly number[]) => {
    const inner = sizeOf(dims.slice(axis + 1)) * 4
    const parts: Uint8Array[] = []
    for (let outer = 0; outer < sizeOf(dims.slice(0, axis)); outer++)
      for (const index of kept)
        parts.push(bytes.subarray((outer * dims[axis]! + index) * inner, (outer * dims[axis]! + index + 1) * inner))
    return { bytes: Buffer.concat(parts), dims: dims.map((dim, i) => (i === axis ? kept.length : dim)) }
  }

  test.each(['tf-cnn', 'resnet-20'])('%s', async (name) => {
    const [original, out] = [`${name}.onnx`, `${name}-pruned.onnx`]
    await json(folder, ['prune', original, '--ratio', '0.4', '--out', out, '--plan', `${name}.json`])
    const [before, after, plan] = [
      await readModel(at(original)),
      await readModel(at(out)),
      await readPlan(`${name}.json`),
    ]

    expect(Object.keys(plan)).toEqual(['format', 'source', 'criterion', 'groups', 'slices', 'frozen', 'copies'])
    expect(plan.format).toBe('espalier-plan/1')
    const sha256 = createHash('sha256')
      .update(await readFile(at(original)))
      .digest('hex')
    expect(plan.source).toEqual({ file: original, sha256 })
    expect(plan.criterion).toBe('l1')
    for (const group of plan.groups) {
      expect(Object.keys(group).sort()).toEqual(['exact', 'kept', 'members', 'name', 'size'])
      expect(group.kept).toBeGreaterThan(0)
      expect(group.kept).toBe(Math.ceil(group.size * 0.6))
      for (const { initializer, axis } of group.members) {
        expect(dimsOf(before, initializer)![axis]! % group.size).toBe(0)
        expect(dimsOf(after, initializer)![axis]! % group.kept).toBe(0)
      }
    }
    for (const { value, axis, reason } of plan.frozen) {
      expect(typeof value).toBe('string')
      expect(Number.isInteger(axis)).toBe(true)
      expect(reason.length).toBeGreaterThan(3)
    }

    // `slices` names every initializer that got smaller, and says exactly what is left of it; all others are unchanged.
    const smaller: string[] = []
    for (const [initializer, tensor] of after.graph.initializers) {
      const whole = before.graph.initializers.get(plan.copies[initializer] ?? initializer)!
      let expected: { bytes: Uint8Array; dims: readonly number[] } = whole
      for (const [axis, kept] of Object.entries(plan.slices[initializer] ?? {})) {
        expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b))
        expected = taken(expected.bytes, expected.dims, Number(axis), kept)
      }
      if (sizeOf(tensor.dims) < sizeOf(whole.dims)) smaller.push(initializer)
      if (tensor.type !== 'float32') continue
      expect(tensor.dims, initializer).toEqual(expected.dims)
      expect(Buffer.compare(tensor.bytes, expected.bytes), initializer).toBe(0)
    }
    expect(smaller.sort()).toEqual(Object.keys(plan.slices).sort())
    expect(smaller.length).toBeGreaterThan(5)
    expect([...after.graph.initializers.keys()].sort()).toEqual(
      [...before.graph.initializers.keys(), ...Object.keys(plan.copies)].sort(),
    )

    const { equal, difference } = await json<{ equal: boolean; difference: number }>(folder, [
      'verify',
      original,
      out,
      '--plan',
      `${name}.json`,
    ])
    expect(equal).toBe(true)
    expect(difference).toBeLessThan(1e-5)
  })
})

describe('how much goes', () => {
  const dry = (...args: string[]) => json<Document>(folder, ['prune', 'tf-cnn.onnx', '--dry-run', ...args])

  test("--best keeps a layer's best kernels, as the article does, and --keep leaves layers whole", async () => {
    const found = await json<Document>(folder, [
      'prune',
      'tf-cnn.onnx',
      '--criterion',
      'sum',
      '--best',
      'conv1=8',
      '--out',
      'best.onnx',
    ])
    expect(keptOf(found)).toEqual([8, 32, 32, 128, 256])
    const [before, after] = [await readModel(at('tf-cnn.onnx')), await readModel(at('best.onnx'))]
    expect(dimsOf(after, 'conv1.weight')).toEqual([8, 1, 3, 3])
    expect(dimsOf(after, 'conv2.weight')).toEqual([32, 8, 3, 3])
    // The eight kernels with the largest sum of weights.
    const weight = before.graph.initializers.get('conv1.weight')!
    const values = new Float32Array(weight.bytes.slice().buffer)
    const sums = Array.from({ length: 16 }, (_, k) => values.slice(k * 9, k * 9 + 9).reduce((a, b) => a + b, 0))
    const best = [...sums.keys()]
      .sort((a, b) => sums[b]! - sums[a]!)
      .slice(0, 8)
      .sort((a, b) => a - b)
    expect(found.plan.slices['conv1.weight']).toEqual({ 0: best })
    expect(found.plan.slices['conv2.weight']).toEqual({ 1: best })

    expect(keptOf(await dry('--ratio', '0.5', '--keep', 'conv2', '--keep', 'fc*'))).toEqual([8, 32, 16, 128, 256])
    expect(keptOf(await dry('--ratio', '0.5', '--best', 'fc1=100', '--layer-ratio', 'fc2=0.25'))).toEqual([
      8, 16, 16, 100, 192,
    ])
  })

  test('--macs, --params and --bytes are reached from below, within two per cent', async () => {
    const size = (await stat(at('tf-cnn.onnx'))).size
    for (const [flag, read] of [
      ['macs', ({ macs }: Document['after']) => macs],
      ['params', ({ parameters }: Document['after']) => parameters],
      ['bytes', ({ bytes }: Document['after']) => bytes],
    ] as const) {
      const share = await dry(`--${flag}`, '0.4', '--scope', 'global')
      const goal = 0.4 * read(share.before)
      expect(read(share.after), flag).toBeLessThanOrEqual(goal)
      expect(read(share.after), flag).toBeGreaterThan(0.98 * goal)
      const number = await dry(`--${flag}`, String(Math.floor(goal)), '--scope', 'global')
      expect(read(number.after)).toBe(read(share.after))
    }
    await json(folder, ['prune', 'tf-cnn.onnx', '--bytes', '100000', '--out', 'small.onnx'])
    expect((await stat(at('small.onnx'))).size).toBeLessThanOrEqual(100000)
    expect((await stat(at('small.onnx'))).size).toBeGreaterThan(98000)
    expect(size).toBeGreaterThan(400000)
  })

  test('--scope, --round-to and --max-ratio', async () => {
    const local = await dry('--ratio', '0.5')
    const global = await dry('--ratio', '0.5', '--scope', 'global', '--max-ratio', '0.6')
    expect(keptOf(local)).toEqual([8, 16, 16, 64, 128])
    expect(keptOf(global)).not.toEqual(keptOf(local))
    for (const { size, kept } of global.plan.groups) expect(kept).toBeGreaterThanOrEqual(size - Math.floor(0.6 * size))
    expect(keptOf(await dry('--ratio', '0.4', '--round-to', '8'))).toEqual([8, 24, 24, 80, 152])
    expect(keptOf(await dry('--ratio', '0.4', '--round-to', '8:up'))).toEqual([16, 24, 24, 80, 160])
    expect(keptOf(await dry('--ratio', '0.4', '--round-to', '8:down'))).toEqual([8, 16, 16, 72, 152])
    // A cap within one step: what one layer may not give, the others do.
    const capped = await dry('--ratio', '0.5', '--scope', 'global', '--max-ratio', '0.55', '--criterion', 'sum')
    for (const { size, kept } of capped.plan.groups) expect(kept).toBeGreaterThanOrEqual(size - Math.floor(0.55 * size))
    expect(capped.target).toEqual({ quantity: 'units', goal: 232, reached: 232 })
  })

  test('--keep leaves the inputs of a layer free, --keep-inputs does not', async () => {
    expect(keptOf(await dry('--ratio', '0.5', '--keep', 'conv2'))).toEqual([8, 32, 16, 64, 128])
    expect(keptOf(await dry('--ratio', '0.5', '--keep', 'conv2', '--keep-inputs'))).toEqual([16, 32, 16, 64, 128])
  })

  test('it says how near a budget came, and what keeps it from coming nearer', async () => {
    const { target, before, after } = await dry('--macs', '0.4')
    expect(target).toEqual({ quantity: 'macs', goal: 0.4 * before.macs, reached: after.macs })
    const { stdout } = await espalier(folder, ['prune', 'tf-cnn.onnx', '--macs', '0.4', '--dry-run'])
    expect(stdout).toMatch(/\d MACs of the 627 405 allowed \((9[89]|100)\.\d %\)/)
    const coarse = await espalier(folder, ['prune', 'tf-cnn.onnx', '--macs', '0.9', '--round-to', '16', '--dry-run'])
    expect(coarse.stdout).toContain('nearer is kept from it by widths in multiples of 16')
  })

  test('the table of groups: units, scores at the cut, MACs that add up to what is saved', async () => {
    const { groups, before, after, plan } = await dry('--ratio', '0.5', '--scope', 'global')
    expect(groups.map(({ name, size, kept }) => ({ name, size, kept }))).toEqual(
      plan.groups.map(({ name, size, kept }) => ({ name, size, kept })),
    )
    expect(groups.reduce((sum, { macsSaved }) => sum + macsSaved, 0)).toBe(before.macs - after.macs)
    const weight = (await readModel(at('tf-cnn.onnx'))).graph.initializers.get('conv1.weight')!
    const values = new Float32Array(weight.bytes.slice().buffer)
    const l1 = (k: number) => values.slice(k * 9, k * 9 + 9).reduce((sum, w) => sum + Math.abs(w), 0)
    const stay = plan.slices['conv1.weight']!['0']!
    const go = Array.from({ length: 16 }, (_, k) => k).filter((k) => !stay.includes(k))
    expect(groups[0]!.cut!.goes).toBeCloseTo(Math.max(...go.map(l1)), 5)
    expect(groups[0]!.cut!.stays).toBeCloseTo(Math.min(...stay.map(l1)), 5)
    expect(groups[0]!.members[0]).toMatchObject({ initializer: 'conv1.weight', axis: 0, role: 'produces' })
    const { stdout } = await espalier(folder, ['prune', 'tf-cnn.onnx', '--ratio', '0.5', '--dry-run'])
    expect(stdout).toMatch(/group +units +kept +goes up to +stays from +MACs saved +members/)
  })

  test('rounds leave what one round leaves, and a cap holds over all of them', async () => {
    expect(keptOf(await dry('--ratio', '0.5', '--steps', '3'))).toEqual([8, 16, 16, 64, 128])
    expect(keptOf(await dry('--ratio', '0.9', '--steps', '3', '--max-ratio', '0.5'))).toEqual([8, 16, 16, 64, 128])
  })

  test('a dry run writes nothing and needs no --out', async () => {
    const before = (await readdir(folder)).sort()
    const { stdout, code } = await espalier(folder, [
      'prune',
      'tf-cnn.onnx',
      '--ratio',
      '0.5',
      '--dry-run',
      '--out',
      'never.onnx',
      '--plan',
      'never.json',
    ])
    expect(code).toBe(0)
    expect(stdout).toContain('conv1.weight')
    expect(stdout).toContain('an output of the graph')
    expect((await readdir(folder)).sort()).toEqual(before)
  })
})

describe('--verify and verify', () => {
  test('a person sees the proof; a script gets it', async () => {
    const args = ['prune', 'tf-cnn.onnx', '--ratio', '0.5', '--verify', '--out', 'v.onnx', '--plan', 'v.json']
    const { code, stdout } = await espalier(folder, args)
    expect(code).toBe(0)
    expect(stdout).toMatch(/verified: masked original and pruned model differ by \S+ at most/)
    expect((await json<Document>(folder, args)).proof?.equal).toBe(true)
    expect((await espalier(folder, ['verify', 'tf-cnn.onnx', 'v.onnx', '--plan', 'v.json'])).code).toBe(0)
  })

  test('--absorb moves constants into biases, says where it cannot, and is proven by the plan alone', async () => {
    const net = await readModel(at('lenet-300-100.onnx'))
    for (const [name, size] of [
      ['fc1.bias', 300],
      ['fc2.bias', 100],
    ] as const)
      net.graph.initializers.set(name, float32([size], new Float32Array(size).fill(0.5)))
    await writeModel(at('biased.onnx'), net)
    const args = ['prune', 'biased.onnx', '--ratio', '0.5', '--absorb', 'exact', '--verify']
    const { proof, plan } = await json<Document>(folder, [...args, '--out', 'ab.onnx', '--plan', 'ab.json'])
    expect(proof!.equal).toBe(true)
    expect(Object.keys(plan.absorbed!.biases).length).toBe(2)
    expect((await espalier(folder, ['verify', 'biased.onnx', 'ab.onnx', '--plan', 'ab.json'])).code).toBe(0)
    const padded = await espalier(folder, ['prune', 'tf-cnn.onnx', '--ratio', '0.5', '--absorb', 'exact', '--dry-run'])
    expect(padded.stdout).toMatch(/not absorbed: conv1.weight \(Conv 'conv2': its padding shows at the border\)/)
    const twice = await espalier(folder, [...args, '--steps', '2', '--out', 'never.onnx'])
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('single round')])
  })

  test('a pruned file can be pruned and proven again', async () => {
    await json(folder, ['prune', 'tf-cnn.onnx', '--ratio', '0.3', '--out', 'once.onnx'])
    const { proof } = await json<Document>(folder, [
      'prune',
      'once.onnx',
      '--ratio',
      '0.3',
      '--out',
      'twice.onnx',
      '--verify',
    ])
    expect(proof?.equal).toBe(true)
  })

  const rejected = async (args: readonly string[], ...texts: string[]) => {
    const { code, stderr } = await espalier(folder, ['verify', ...args])
    expect(code).toBe(1)
    expect(stderr.trim().split('\n').length).toBe(1)
    for (const text of texts) expect(stderr).toContain(text)
    const asked = await espalier(folder, ['verify', ...args, '--json'])
    expect(asked.code).toBe(1)
    return asked.stdout
  }

  test('a tampered file is rejected, and --json says what is wrong with it', async () => {
    await json(folder, ['prune', 'tf-cnn.onnx', '--ratio', '0.5', '--out', 'honest.onnx', '--plan', 'honest.json'])
    // One weight that the outputs hardly show.
    const model = await readModel(at('honest.onnx'))
    const bias = model.graph.initializers.get('conv3.bias')!
    const bytes = bias.bytes.slice()
    new DataView(bytes.buffer).setFloat32(0, new DataView(bytes.buffer).getFloat32(0, true) + 1e-6, true)
    model.graph.initializers.set('conv3.bias', { ...bias, bytes })
    await writeModel(at('tampered.onnx'), model)
    const out = await rejected(
      ['tf-cnn.onnx', 'tampered.onnx', '--plan', 'honest.json'],
      'tampered.onnx',
      'conv3.bias',
      'it is not the slice the plan says',
    )
    const document: { equal: boolean; changed: { initializer: string }[] } = JSON.parse(out)
    expect(document.equal).toBe(false)
    expect(document.changed.map(({ initializer }) => initializer)).toEqual(['conv3.bias'])

    // Another activation: all initializers are what the plan says, and the outputs are not.
    const other = await readModel(at('honest.onnx'))
    other.graph.nodes.find(({ opType }) => opType === 'Relu')!.opType = 'Abs'
    await writeModel(at('other.onnx'), other)
    await rejected(['tf-cnn.onnx', 'other.onnx', '--plan', 'honest.json'], 'other.onnx', 'the outputs differ by')

    await writeFile(at('cut.onnx'), (await readFile(at('honest.onnx'))).subarray(0, 3000))
    await rejected(['tf-cnn.onnx', 'cut.onnx', '--plan', 'honest.json'], 'cut.onnx', 'truncated')
    await rejected(['tf-cnn.onnx', 'tf-cnn.onnx', '--plan', 'honest.json'], 'tf-cnn.onnx')
  })

  test('a plan of another file, a damaged plan and none at all', async () => {
    await json(folder, ['prune', 'tf-cnn.onnx', '--ratio', '0.5', '--out', 'p.onnx', '--plan', 'p.json'])
    const plan = await readPlan('p.json')
    await rejected(['lenet-300-100.onnx', 'p.onnx', '--plan', 'p.json'], 'p.json', 'another file', 'tf-cnn.onnx')
    const write = (name: string, text: string) => writeFile(at(name), text)
    await write('text.json', 'not a plan')
    await rejected(['tf-cnn.onnx', 'p.onnx', '--plan', 'text.json'], 'text.json', 'not JSON')
    await write('old.json', JSON.stringify({ ...plan, format: 'espalier-plan/0' }))
    await rejected(['tf-cnn.onnx', 'p.onnx', '--plan', 'old.json'], 'old.json', 'espalier-plan/0')
    await write('lost.json', JSON.stringify({ ...plan, slices: { ...plan.slices, 'conv1.weight': { 0: [0, 1, 99] } } }))
    await rejected(['tf-cnn.onnx', 'p.onnx', '--plan', 'lost.json'], 'conv1.weight')
    await write('foreign.json', JSON.stringify({ ...plan, slices: { ...plan.slices, nothing: { 0: [0] } } }))
    await rejected(['tf-cnn.onnx', 'p.onnx', '--plan', 'foreign.json'], 'nothing')
    await rejected(['tf-cnn.onnx', 'p.onnx', '--plan', 'none.json'], 'none.json')
  })
})

describe('retraining', () => {
  const small = ['--data', 'idx:data', '--retrain', '1', '--batch', '10', '--threads', '1']

  test('rounds of pruning and retraining: the plan is the original’s, the weights are new, and the seed repeats it', async () => {
    const args = ['prune', 'lenet-300-100.onnx', '--ratio', '0.6', '--steps', '2', ...small, '--verify']
    const { code, stderr, stdout } = await espalier(folder, [...args, '--out', 'r.onnx', '--plan', 'r.json'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('round 2 of 2: retraining')
    expect(stdout).toContain('verified')
    const [after, plan] = [await readModel(at('r.onnx')), await readPlan('r.json')]
    expect(plan.groups.map(({ size, kept }) => [size, kept])).toEqual([
      [300, 120],
      [100, 40],
    ])
    expect(dimsOf(after, 'fc2.weight')).toEqual([40, 120])
    // Not what the original's slices would give: it was trained since.
    const { code: rejected, stderr: reason } = await espalier(folder, [
      'verify',
      'lenet-300-100.onnx',
      'r.onnx',
      '--plan',
      'r.json',
    ])
    expect(rejected).toBe(1)
    expect(reason).toContain('before any retraining')

    const again = await json<Document>(folder, [...args, '--out', 'again.onnx'])
    expect(again.proof?.equal).toBe(true)
    expect(await same(at('again.onnx'), at('r.onnx'))).toBe(true)
    await json(folder, [...args, '--seed', '1', '--out', 'other-seed.onnx'])
    expect(await same(at('other-seed.onnx'), at('r.onnx'))).toBe(false)
  })

  test('schedules lead to the same widths, and a bound on the validation loss ends the run before it passes', async () => {
    const args = ['prune', 'lenet-300-100.onnx', '--ratio', '0.6', '--steps', '3', '--dry-run']
    for (const schedule of ['one-shot', 'geometric', 'linear', 'agp'])
      expect(keptOf(await json<Document>(folder, [...args, '--prune-schedule', schedule])), schedule).toEqual([120, 40])

    // Without retraining a trained network does worse from round to round.
    const training = ['--epochs', '8', '--lr', '0.01', '--batch', '10', '--threads', '1']
    await json(folder, ['train', 'lenet-300-100', '--data', 'idx:data', '--out', 'trained', ...training])
    const bounded = ['prune', 'trained/model.onnx', '--ratio', '0.96', '--steps', '4', '--prune-schedule', 'linear']
    bounded.push('--data', 'idx:data')
    const free = await json<Document>(folder, [...bounded, '--stop-loss', '100', '--out', 'free.onnx'])
    expect(free.rounds!.map(({ round, passes }) => [round, passes])).toEqual([1, 2, 3, 4].map((round) => [round, true]))
    const losses = free.rounds!.map(({ loss }) => loss)
    expect(losses).toEqual([...losses].sort((a, b) => a - b))
    const bound = String((losses[1]! + losses[2]!) / 2)
    const { rounds, plan } = await json<Document>(folder, [...bounded, '--stop-loss', bound, '--out', 'stopped.onnx'])
    expect(rounds!.map(({ passes }) => passes)).toEqual([true, true, false])
    expect(plan.groups.map(({ kept }) => kept)).toEqual([156, 52])
    const { code, stderr } = await espalier(folder, [...bounded, '--stop-accuracy', '1', '--out', 'never.onnx'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('the first round passes the bound already')])
  })

  test('soft pruning trains before the cut; the plan is the original’s all the same', async () => {
    const args = ['prune', 'lenet-300-100.onnx', '--ratio', '0.6', ...small, '--lr', '0.01', '--soft', '2', '--verify']
    const { proof, plan } = await json<Document>(folder, [...args, '--out', 'soft.onnx'])
    expect(proof!.equal).toBe(true)
    expect(plan.groups.map(({ kept }) => kept)).toEqual([120, 40])
    const hard = await json<Document>(folder, ['prune', 'lenet-300-100.onnx', '--ratio', '0.6', '--dry-run'])
    expect(plan.slices).not.toEqual(hard.plan.slices)
  })

  test('with a teacher', async () => {
    const args = ['prune', 'lenet-300-100.onnx', '--ratio', '0.6', ...small]
    await json(folder, [...args, '--out', 'alone.onnx'])
    await json(folder, [...args, '--teacher', 'lenet-300-100.onnx', '--out', 'taught.onnx'])
    expect(await same(at('taught.onnx'), at('alone.onnx'))).toBe(false)
  })
})

describe('what cannot be done leaves everything as it was', () => {
  const untouched = async (
    args: readonly string[],
    expected: { code: number; texts: readonly string[] },
    limit?: { fileLimit: number },
  ) => {
    await copyFile(at('lenet-300-100.onnx'), at('kept.onnx'))
    await writeFile(at('kept.json'), 'kept')
    const before = (await readdir(folder)).sort()
    const { code, stdout, stderr } = await (limit
      ? spawned(folder, ['prune', ...args], limit)
      : espalier(folder, ['prune', ...args]))
    expect(stderr.trim().split('\n'), stderr).toHaveLength(1)
    expect(stderr).toMatch(/^espalier: /)
    for (const text of expected.texts) expect(stderr).toContain(text)
    expect(code, stderr).toBe(expected.code)
    if (limit === undefined) expect(stdout).toBe('')
    expect((await readdir(folder)).sort()).toEqual(before)
    expect(await same(at('kept.onnx'), at('lenet-300-100.onnx'))).toBe(true)
    expect(await readFile(at('kept.json'), 'utf8')).toBe('kept')
  }
  const out = ['--out', 'kept.onnx', '--plan', 'kept.json']

  test.each<[string, number, readonly string[], readonly string[]]>([
    ['no target', 2, ['tf-cnn.onnx', ...out], ['there is no target', '--ratio']],
    [
      'two targets',
      2,
      ['tf-cnn.onnx', '--ratio', '0.5', '--macs', '0.5', ...out],
      ['--ratio and --macs are two targets'],
    ],
    ['a ratio of everything', 2, ['tf-cnn.onnx', '--ratio', '1', ...out], ['ratio', 'below 1']],
    ['a ratio that is no number', 2, ['tf-cnn.onnx', '--ratio', 'half', ...out], ['--ratio half', 'number']],
    ['a ratio below 0', 2, ['tf-cnn.onnx', '--ratio=-0.5', ...out], ['--ratio -0.5', 'at least 0']],
    [
      'a budget out of reach',
      2,
      ['tf-cnn.onnx', '--bytes', '1000', ...out],
      ['bytes cannot fall to 1000', 'the least that can be reached'],
    ],
    ['a layer there is not', 2, ['tf-cnn.onnx', '--best', 'conv9=8', ...out], ['conv9', 'conv1.weight']],
    [
      'a layer there is not, to keep',
      2,
      ['tf-cnn.onnx', '--ratio', '0.5', '--keep', 'conv9', ...out],
      ['conv9', 'conv1.weight'],
    ],
    [
      'a best that is no number',
      2,
      ['tf-cnn.onnx', '--best', 'conv1=many', ...out],
      ['--best conv1=many', 'LAYER=NUMBER'],
    ],
    ['a best of none', 2, ['tf-cnn.onnx', '--best', 'conv1=0', ...out], ['conv1', 'at least 1']],
    [
      'a criterion there is not',
      2,
      ['tf-cnn.onnx', '--ratio', '0.5', '--criterion', 'luck', ...out],
      ['--criterion luck', 'l1'],
    ],
    ['a scope there is not', 2, ['tf-cnn.onnx', '--ratio', '0.5', '--scope', 'all', ...out], ['--scope all', 'global']],
    ['a flag there is not', 2, ['tf-cnn.onnx', '--ratio', '0.5', '--fast', ...out], ['--fast', '--help']],
    [
      'a width that is no number',
      2,
      ['tf-cnn.onnx', '--ratio', '0.5', '--round-to', '8:sideways', ...out],
      ['--round-to 8:sideways', '8:up'],
    ],
    ['keeping inputs of nothing', 2, ['tf-cnn.onnx', '--ratio', '0.5', '--keep-inputs', ...out], ['--keep']],
    [
      'a bound without data',
      2,
      ['tf-cnn.onnx', '--ratio', '0.5', '--stop-loss', '1', ...out],
      ['--stop-loss needs --data'],
    ],
    ['a cap of nothing', 2, ['tf-cnn.onnx', '--ratio', '0.5', '--max-ratio', '0', ...out], ['max-ratio']],
    ['no model', 2, [...out, '--ratio', '0.5'], ['MODEL is missing']],
    [
      'two models',
      2,
      ['tf-cnn.onnx', 'resnet-20.onnx', '--ratio', '0.5', ...out],
      ["'resnet-20.onnx' is one argument too many"],
    ],
    ['no --out', 2, ['tf-cnn.onnx', '--ratio', '0.5'], ['--out is missing']],
    [
      'the model itself as --out',
      2,
      ['kept.onnx', '--ratio', '0.5', '--out', './kept.onnx'],
      ['MODEL and --out are the same file'],
    ],
    [
      'one file for model and plan',
      2,
      ['tf-cnn.onnx', '--ratio', '0.5', '--out', 'kept.onnx', '--plan', 'data/../kept.onnx'],
      ['--out and --plan are the same file'],
    ],
    [
      'the model itself as plan',
      2,
      ['kept.onnx', '--ratio', '0.5', '--out', 'x.onnx', '--plan', 'kept.onnx'],
      ['MODEL and --plan are the same file'],
    ],
    ['a file that is not there', 1, ['none.onnx', '--ratio', '0.5', ...out], ['none.onnx', 'no such file']],
    ['a file of another kind', 2, ['../another.safetensors', '--ratio', '0.5', ...out], []],
    ['a folder', 1, ['data', '--ratio', '0.5', ...out], ["'data'"]],
    [
      'a plan into a file as if it were a folder',
      1,
      ['tf-cnn.onnx', '--ratio', '0.5', '--out', 'kept.onnx', '--plan', 'kept.json/plan.json'],
      ['kept.json/plan.json', 'no folder'],
    ],
    [
      'a model in place of a folder',
      1,
      ['tf-cnn.onnx', '--ratio', '0.5', '--out', 'data'],
      ["file 'data'", 'a folder'],
    ],
    [
      'a model in place of a device',
      1,
      ['tf-cnn.onnx', '--ratio', '0.5', '--out', '/dev/full'],
      ["file '/dev/full'", 'no ordinary file'],
    ],
    [
      'retraining without data',
      2,
      ['tf-cnn.onnx', '--ratio', '0.5', '--retrain', '1', ...out],
      ['--retrain needs --data'],
    ],
    [
      'data there is not',
      1,
      ['tf-cnn.onnx', '--ratio', '0.5', '--retrain', '1', '--data', 'idx:nowhere', ...out],
      ['nowhere'],
    ],
    [
      'data of another shape',
      2,
      ['resnet-20.onnx', '--ratio', '0.5', '--retrain', '1', '--data', 'idx:data', ...out],
      ['[1, 28, 28]', '[3, 32, 32]'],
    ],
    [
      'a teacher there is not',
      1,
      ['tf-cnn.onnx', '--ratio', '0.5', '--retrain', '1', '--data', 'idx:data', '--teacher', 'none.onnx', ...out],
      ['none.onnx'],
    ],
    [
      'freezing what is not there',
      2,
      ['tf-cnn.onnx', '--ratio', '0.5', '--retrain', '1', '--data', 'idx:data', '--freeze', 'conv9*', ...out],
      ['conv9*'],
    ],
  ])('%s', async (what, code, args, texts) => {
    if (what === 'a file of another kind') await writeFile(at('../another.safetensors'), safetensors)
    await untouched(args, { code, texts })
    if (what === 'a file of another kind') await rm(at('../another.safetensors'))
  })

  test('a truncated file', async () => {
    await writeFile(at('truncated.onnx'), (await readFile(at('tf-cnn.onnx'))).subarray(0, 20000))
    await untouched(['truncated.onnx', '--ratio', '0.5', ...out], {
      code: 1,
      texts: ['truncated.onnx', 'truncated or damaged'],
    })
  })

  test('a disk that fills up while the model is written', async () => {
    await untouched(
      ['lenet-300-100.onnx', '--ratio', '0.1', ...out],
      { code: 1, texts: ['kept.onnx', 'cannot write', 'room'] },
      { fileLimit: 100 },
    )
  })
})

/** An empty safetensors file. */
const safetensors = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')])
