// Packs the package, installs it into an empty folder and uses it there as a stranger would: the command line, every module
// the package exports, and its types under both resolutions in use. Ends with exit code 1 at the first thing that fails.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'espalier-package-'))
let passed = 0

const run = (program, ...args) =>
  execFileSync(program, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    // The engine's CPU binary is in its package; only CUDA's would be downloaded.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', npm_config_audit: 'false', npm_config_fund: 'false' },
  })

const check = (what, work) => {
  try {
    work()
    passed++
    console.log(`ok  ${what}`)
  } catch (error) {
    console.error(`FAILED  ${what}\n${error.stdout ?? ''}${error.stderr ?? ''}${error.message}`)
    console.log(`package check: ${passed} passed, 1 failed`)
    process.exit(1)
  }
}

const expect = (condition, what) => {
  if (!condition) throw new Error(what)
}

/** An IDX file of bytes. */
const idx = (dims, bytes) => {
  const head = Buffer.alloc(4 + 4 * dims.length)
  head.writeUInt32BE(0x0800 + dims.length)
  dims.forEach((dim, i) => {
    head.writeUInt32BE(dim, 4 + 4 * i)
  })
  return Buffer.concat([head, bytes])
}

const subpaths = Object.keys(manifest.exports).filter((path) => path !== './package.json')
const specifierOf = (path) => join(manifest.name, path)

try {
  let archive = ''
  check('npm pack', () => {
    const [packed] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
        cwd: root,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
    archive = packed.filename
    const files = packed.files.map(({ path }) => path)
    for (const file of [
      'LICENSE',
      'README.md',
      'package.json',
      'dist/cli/main.js',
      'dist/train/shards/shard.worker.js',
    ])
      expect(files.includes(file), `${file} is not in the package`)
    const strange = files.filter((file) => /\.test\.|\/testing\/|^src\/|^runs\/|^fixtures\/|\/fuzz\//.test(file))
    expect(strange.length === 0, `these have no place in it: ${strange.join(', ')}`)
  })
  check('npm install in an empty folder', () => {
    writeFileSync(join(folder, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }')
    run('npm', 'install', '--prefer-offline', `./${archive}`)
  })
  check('espalier --help and --version', () => {
    expect(run('npx', 'espalier', '--help').includes('espalier prune'), 'the help does not list prune')
    expect(run('npx', 'espalier', '--version').trim() === manifest.version, 'another version')
  })
  check('espalier train, prune, verify and inspect', () => {
    mkdirSync(join(folder, 'data'))
    for (const [part, count] of [
      ['train', 60],
      ['t10k', 20],
    ]) {
      const pixels = Buffer.from(Array.from({ length: count * 784 }, (_, i) => (i * 7919) % 256))
      const labels = Buffer.from(Array.from({ length: count }, (_, i) => i % 10))
      writeFileSync(join(folder, `data/${part}-images-idx3-ubyte`), idx([count, 28, 28], pixels))
      writeFileSync(join(folder, `data/${part}-labels-idx1-ubyte`), idx([count], labels))
    }
    const args = ['--data', 'idx:data', '--epochs', '1', '--batch', '20', '--out', 'run', '--json']
    const trained = JSON.parse(run('npx', 'espalier', 'train', 'lenet-300-100', ...args))
    expect(trained.steps === 3, 'a run of three steps took another number')
    const model = 'run/model.onnx'
    const pruned = ['--ratio', '0.5', '--out', 'pruned.onnx', '--plan', 'plan.json']
    run('npx', 'espalier', 'prune', model, ...pruned)
    run('npx', 'espalier', 'verify', model, 'pruned.onnx', '--plan', 'plan.json')
    const { kind, parameters } = JSON.parse(run('npx', 'espalier', 'inspect', 'pruned.onnx', '--json'))
    expect(kind === 'onnx' && parameters < 130_000, 'the pruned model is not as it should be')
  })
  for (const path of subpaths)
    check(`import '${specifierOf(path)}'`, () => {
      run(
        'node',
        '--input-type=module',
        '-e',
        `const m = await import('${specifierOf(path)}'); if (!Object.keys(m).length) process.exit(1)`,
      )
    })
  check('a few lines of a program', () => {
    const program = [
      "import { networks } from 'espalier/nn'",
      "import { pruneModel } from 'espalier/prune'",
      "import { defaultRuntime } from 'espalier/runtime/default'",
      "import { nodeRuntime } from 'espalier/runtime/node'",
      "if (defaultRuntime !== nodeRuntime) throw new Error('Node gets another runtime')",
      "const { plan } = await pruneModel(networks['seed-cnn'].build(), { runtime: defaultRuntime, target: { ratio: 0.5 } })",
      "if (plan.groups.some(({ size, kept }) => kept * 2 !== size)) throw new Error('not half')",
    ].join('\n')
    run('node', '--input-type=module', '-e', program)
  })
  for (const [module, resolution] of [
    ['Node16', 'node16'],
    ['ESNext', 'bundler'],
  ])
    check(`types under moduleResolution ${resolution}`, () => {
      const names = subpaths.map((path, i) => [`m${i}`, specifierOf(path)])
      const program = [
        ...names.map(([name, from]) => `import * as ${name} from '${from}'`),
        "import { float32, type Tensor } from 'espalier'",
        "import type { Model } from 'espalier/onnx'",
        "import { readModel } from 'espalier/onnx/file'",
        `export const all = [${names.map(([name]) => name).join(', ')}]`,
        'export const tensor: Tensor = float32([1], [1])',
        "export const model: Promise<Model> = readModel('model.onnx')",
        '// @ts-expect-error: types are real, not any',
        'export const wrong: string = tensor',
      ].join('\n')
      writeFileSync(join(folder, 'consumer.ts'), program)
      const options = { module, moduleResolution: resolution, target: 'ES2022', strict: true, noEmit: true }
      const lib = ['ES2023', 'DOM']
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({ compilerOptions: { ...options, lib, types: [] }, files: ['consumer.ts'] }),
      )
      run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', '.')
    })
  console.log(`package check: ${passed} passed, 0 failed`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
