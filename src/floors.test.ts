import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

/** The house, ground first (ARCHITECTURE.md): a folder imports from floors below its own only. */
const floors: Readonly<Record<string, number>> = {
  base: 0,
  onnx: 1,
  formats: 1,
  runtime: 2,
  operators: 3,
  autodiff: 4,
  optim: 4,
  prune: 4,
  data: 4,
  nn: 4,
  train: 5,
  report: 6,
  cli: 7,
  // src/index.ts, the package's root.
  '': 8,
}

/** What a browser may load: nothing reached from here may need Node. */
const browserEntries = [
  'index.ts',
  'base/index.ts',
  'onnx/index.ts',
  'formats/index.ts',
  'runtime/index.ts',
  'runtime/web.ts',
  'runtime/webgpu.ts',
  'operators/index.ts',
  'autodiff/index.ts',
  'optim/index.ts',
  'prune/index.ts',
  'data/index.ts',
  'nn/index.ts',
  'train/index.ts',
  'report/index.ts',
]

type Import = { readonly from: string; readonly line: number; readonly typeOnly: boolean }

const source = import.meta.dirname

const parse = (file: string) =>
  ts.createSourceFile(file, readFileSync(join(source, file), 'utf8'), ts.ScriptTarget.Latest, true)

/** Every import of a file: declarations, re-exports, `import(…)` as an expression and as a type. */
const importsOf = (tree: ts.SourceFile): Import[] => {
  const found: Import[] = []
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean) => {
    if (specifier && ts.isStringLiteralLike(specifier))
      found.push({
        from: specifier.text,
        line: tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1,
        typeOnly,
      })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, erased(node.importClause))
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node, node.arguments[0], false)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

/** Whether nothing is left of an import once types are gone. */
const erased = (clause: ts.ImportClause | undefined): boolean => {
  if (!clause) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const { namedBindings: named } = clause
  return (
    clause.name === undefined &&
    named !== undefined &&
    ts.isNamedImports(named) &&
    named.elements.every((element) => element.isTypeOnly)
  )
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.split(sep).join('/'))
  .sort()

/** Tests, and what only they use, may look anywhere. */
const isTest = (file: string) =>
  file.endsWith('.test.ts') || file.startsWith('fuzz/') || file.split('/').includes('testing')

const trees = new Map(files.map((file) => [file, parse(file)]))
const imports = new Map([...trees].map(([file, tree]) => [file, importsOf(tree)]))
const folderOf = (file: string) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '')
const resolved = (file: string, from: string) =>
  relative(source, join(source, dirname(file), from))
    .split(sep)
    .join('/')

/** Why an import of a file may not be, or undefined. */
const wrong = (file: string, from: string): string | undefined => {
  if (!from.startsWith('.')) return undefined
  const target = resolved(file, from)
  const [own, other] = [folderOf(file), folderOf(target)]
  if (target.startsWith('..')) return 'leaves src'
  if (!imports.has(target)) return 'is no file of src'
  if (isTest(target)) return 'is a test'
  if (own === other) return undefined
  const [floor, below] = [floors[own], floors[other]]
  if (floor === undefined || below === undefined) return `is of a folder without a floor ('${own}' or '${other}')`
  return below < floor ? undefined : `is on floor ${below}, and ${own || 'the root'} on floor ${floor}`
}

describe('the floors', () => {
  test('every import goes to a lower floor', () => {
    const violations = [...imports].flatMap(([file, list]) =>
      isTest(file)
        ? []
        : list.flatMap(({ from, line }) => {
            const reason = wrong(file, from)
            return reason === undefined ? [] : [`src/${file}:${line}: '${from}' ${reason}`]
          }),
    )
    expect(violations).toEqual([])
  })

  test('every folder has a floor', () => {
    expect(
      [...new Set(files.filter((file) => !isTest(file)).map(folderOf))].filter(
        (folder) => floors[folder] === undefined,
      ),
    ).toEqual([])
  })

  test.each([
    ['onnx/graph.ts', '../operators/index.ts', 'is on floor 3, and onnx on floor 1'],
    ['onnx/graph.ts', '../formats/index.ts', 'is on floor 1, and onnx on floor 1'],
    ['train/trainer.ts', '../cli/main.ts', 'is on floor 7, and train on floor 5'],
    ['train/trainer.ts', '../data/index.ts', undefined],
    ['train/trainer.ts', './nowhere.ts', 'is no file of src'],
    ['train/trainer.ts', '../floors.test.ts', 'is a test'],
    ['train/trainer.ts', '../../package.json', 'leaves src'],
  ])('%s importing %s', (file, from, reason) => {
    expect(wrong(file, from)).toBe(reason)
  })

  test('imports are found in every form they take', () => {
    const text = [
      "import 'a'",
      "import b from 'b'",
      "import type { C } from 'c'",
      "import { type D } from 'd'",
      "import { type E, e } from 'e'",
      "export * from 'f'",
      "export type { G } from 'g'",
      "const h = await import('h')",
      "type I = import('i').I",
      "import * as j from 'j'",
    ].join('\n')
    const found = importsOf(ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true))
    expect(found.map(({ from, typeOnly }) => `${from}${typeOnly ? ' type' : ''}`)).toEqual([
      'a',
      'b',
      'c type',
      'd type',
      'e',
      'f',
      'g type',
      'h',
      'i type',
      'j',
    ])
  })
})

describe('what a browser loads', () => {
  test.each(browserEntries)('%s needs nothing of Node', (entry) => {
    const seen = new Map<string, string>([[entry, entry]])
    const waiting = [entry]
    const needs: string[] = []
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop())
      for (const { from, typeOnly } of imports.get(file) ?? []) {
        if (typeOnly) continue
        const path = `${seen.get(file)} → ${from}`
        if (/^node:|^onnxruntime-node$/.test(from)) needs.push(path)
        const target = from.startsWith('.') ? resolved(file, from) : undefined
        if (target === undefined || seen.has(target)) continue
        seen.set(target, path)
        waiting.push(target)
      }
    expect(imports.has(entry)).toBe(true)
    expect(needs).toEqual([])
  })
})

describe('packages', () => {
  const manifest: { dependencies: object; peerDependencies: object; imports: Record<string, object> } = JSON.parse(
    readFileSync(join(source, '../package.json'), 'utf8'),
  )
  const declared = new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)])
  const nameOf = (from: string) =>
    from
      .split('/')
      .slice(0, from.startsWith('@') ? 2 : 1)
      .join('/')
  // Names of this package's own for another's entry: '#onnxruntime-web' is one for Node and one for browsers.
  const isDeclared = (from: string) =>
    from in manifest.imports
      ? Object.values(manifest.imports[from]!).every((target) => declared.has(nameOf(target)))
      : declared.has(nameOf(from))

  test('what is imported is declared, types too: they stand in the declarations that users compile against', () => {
    const missing = [...imports].flatMap(([file, list]) =>
      isTest(file)
        ? []
        : list.flatMap(({ from, line }) =>
            from.startsWith('.') || from.startsWith('node:') || isDeclared(from)
              ? []
              : [`src/${file}:${line}: ${from}`],
          ),
    )
    expect(missing).toEqual([])
  })
})

describe('types', () => {
  test('no any, and nothing that silences the compiler', () => {
    const found: string[] = []
    for (const [file, tree] of trees) {
      const visit = (node: ts.Node): void => {
        if (node.kind === ts.SyntaxKind.AnyKeyword)
          found.push(`src/${file}:${tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1}: any`)
        ts.forEachChild(node, visit)
      }
      visit(tree)
      // Written apart, so that this file does not find itself.
      for (const directive of ['ignore', 'expect-error', 'nocheck'])
        if (tree.text.includes(`@ts-${directive}`)) found.push(`src/${file}: @ts-${directive}`)
    }
    expect(found).toEqual([])
  })
})
