import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bool, float32, int64 } from '../base/index.ts'
import { writeModel } from '../onnx/file.ts'
import { GraphBuilder, makeGraph, makeModel, makeNode, subgraph } from '../onnx/index.ts'
import { commands } from './commands/index.ts'
import { watchedCommands } from './limits/commands.ts'
import { main, spawned, temporary } from './testing/cli.ts'

let folder: string

/** y = x·w, then what `then` makes of y. */
const write = async (name: string, then: (b: GraphBuilder, y: string) => string): Promise<void> => {
  const graph = makeGraph(name)
  graph.inputs.push({ name: 'x', type: 'float32', dims: ['N', 4] })
  const b = new GraphBuilder(graph)
  const weights = float32(
    [4, 4],
    Float32Array.from({ length: 16 }, (_, i) => i / 9),
  )
  const output = then(b, b.op('MatMul', ['x', b.initializer('w', weights)]))
  graph.outputs.push({ name: output, type: 'float32' })
  await writeModel(join(folder, `${name}.onnx`), makeModel(graph))
}

const endless = (b: GraphBuilder, y: string): string => {
  const body = makeGraph('body')
  body.inputs.push(
    { name: 'i', type: 'int64', dims: [] },
    { name: 'go', type: 'bool', dims: [] },
    { name: 's', type: 'float32' },
  )
  body.nodes.push(makeNode('Identity', ['go'], ['on']), makeNode('Tanh', ['s'], ['t']))
  body.outputs.push({ name: 'on', type: 'bool' }, { name: 't', type: 'float32' })
  return b.op('Loop', ['', b.constant(bool([], [true])), y], { body: subgraph(body) })
}

const sumOf = (b: GraphBuilder, large: string, y: string) =>
  b.op('Add', [y, b.op('ReduceSum', [large], { keepdims: 0 })])

beforeAll(async () => {
  folder = await temporary()
  await write('fine', (b, y) =>
    b.op('MatMul', [b.op('Relu', [y]), b.initializer('v', float32([4, 2], new Float32Array(8).fill(1)))]),
  )
  await write('loop', endless)
  await writeFile(join(folder, 'data.csv'), 'a,b,c,d,label\n'.concat('1,2,3,4,0\n4,3,2,1,1\n'.repeat(20)))
  await write('filled', (b, y) => sumOf(b, b.op('ConstantOfShape', [b.constant(int64([1], [2 ** 31]))]), y))
  await write('range', (b, y) => {
    const ends = [0, 1e9, 1].map((value) => b.constant(float32([], [value])))
    return sumOf(b, b.op('Range', ends), y)
  })
  await write('doubled', (b, y) => {
    let large = y
    for (let i = 0; i < 36; i++) large = b.op('Concat', [large, large], { axis: 0 })
    return large
  })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The ids of a process's children, on Linux. */
const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number),
  )

const runs = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}

describe('a watched command', () => {
  test.each([
    ['analyze', ['analyze', 'loop.onnx']],
    ['prune', ['prune', 'loop.onnx', '--ratio', '0.5', '--out', 'out.onnx', '--plan', 'plan.json']],
    ['train', ['train', 'loop.onnx', '--data', 'csv:data.csv', '--out', 'run']],
  ])('%s ends an endless loop at its limit of time, and says so in one line', async (_, args) => {
    const before = await readdir(folder)
    const { code, stderr } = await spawned(folder, [...args, '--time-limit', '6'])
    expect(stderr).toMatch(/^espalier: time limit of 6 s reached \(stage: \w+\); raise it with --time-limit SECONDS\n$/)
    expect(code).toBe(1)
    expect((await readdir(folder)).filter((name) => name !== 'run')).toEqual(before)
  })

  test.each(['filled', 'range', 'doubled'])('%s ends at its limit of memory', async (name) => {
    const { code, stderr } = await spawned(folder, ['analyze', `${name}.onnx`, '--memory-limit', '400MB'])
    expect(stderr).toMatch(
      /^espalier: memory limit of 400 MB reached \(stage: \w+\); raise it with --memory-limit SIZE\n$/,
    )
    expect(code).toBe(1)
  })

  test('gives what it gives without a limit in reach, its exit code too', async () => {
    const args = ['--time-limit', '600', '--memory-limit', '8GiB']
    const good = await spawned(folder, ['analyze', 'fine.onnx', '--json', ...args])
    expect(good).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(good.stdout)).toMatchObject({ criterion: 'l1' })
    expect(await spawned(folder, ['analyze', 'missing.onnx', ...args])).toMatchObject({ code: 2, stdout: '' })
    expect(await spawned(folder, ['analyze', 'fine.onnx', '--time-limit', '0'])).toMatchObject({ code: 2 })
    const size = await spawned(folder, ['analyze', 'fine.onnx', '--memory-limit', '4 elephants'])
    expect(size).toMatchObject({ code: 2, stderr: expect.stringContaining('--memory-limit 4 elephants') })
  })

  test('is one that there is, and takes the flags', () => {
    for (const name of watchedCommands) {
      const found = commands.find((command) => command.name === name)
      expect(Object.keys(found?.options ?? {})).toEqual(expect.arrayContaining(['time-limit', 'memory-limit']))
    }
  })

  test.runIf(process.platform === 'linux')('passes signals on, and never outlives its parent', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const parent = spawn(process.execPath, [main, 'analyze', 'loop.onnx'], { cwd: folder, stdio: 'ignore' })
      const ended = new Promise((done) => parent.on('exit', (...how) => done(how)))
      const pid = parent.pid ?? 0
      while (childrenOf(pid).length === 0) await wait(5)
      const [child = 0] = childrenOf(pid)
      // By then the loop runs, and blocks the child's thread.
      await wait(2500)
      parent.kill(signal)
      // The engine hears no signal; a second one ends it.
      if (signal === 'SIGTERM') parent.kill(signal)
      await ended
      while (runs(child)) await wait(5)
      expect(runs(child)).toBe(false)
    }
  })
})

describe('inspect', () => {
  test.each([
    ['loop', /is known only when the model runs/],
    ['filled', /memory limit of 400 MB reached/],
    ['range', /memory limit of 400 MB reached/],
  ])('shows of %s what the file alone gives, and why not more', async (name, reason) => {
    const args = ['inspect', `${name}.onnx`, '--memory-limit', '400MB', '--json']
    const { code, stdout, stderr } = await spawned(folder, args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      macs: null,
      unknown: { macs: expect.stringMatching(reason) },
      variables: { w: { type: 'float32', shape: [4, 4] } },
    })
  })

  test('never runs the model', async () => {
    const { code, stdout } = await spawned(folder, ['inspect', 'doubled.onnx'])
    expect(code).toBe(0)
    expect(stdout).toContain('36 Concat')
  })
})
