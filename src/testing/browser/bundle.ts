import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, type Plugin } from 'vite'

const root = join(import.meta.dirname, '../../..')

/**
 * A fresh folder with the package installed as its users have it, but for its sources standing where the compiled files
 * would, and with a copy of a folder of this repository as `app` where one is named.
 */
export const installed = async (app?: string): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-package-'))
  const home = join(folder, 'node_modules/espalier')
  await mkdir(home, { recursive: true })
  await symlink(join(root, 'src'), join(home, 'src'))
  const manifest = await readFile(join(root, 'package.json'), 'utf8')
  await writeFile(join(home, 'package.json'), manifest.replace(/\.\/dist\/([^"]*)\.js"/g, './src/$1.ts"'))
  if (app) await cp(join(root, app), join(folder, 'app'), { recursive: true })
  return folder
}

/** Builds a folder's index.html, and all it loads, into another folder, as a user of Vite would. */
export const bundle = async (root: string, into: string): Promise<void> => {
  await build({
    configFile: false,
    logLevel: 'error',
    root,
    build: { outDir: into, emptyOutDir: true, minify: false, reportCompressedSize: false },
    worker: { format: 'es' },
  })
}

/**
 * What modules of a folder would load of Node once they are bundled for a browser, each as 'module ← importer'. ONNX Runtime
 * Web asks for some when it finds itself in Node, and only then: that is left out.
 */
export const nodeModulesIn = async (root: string, modules: readonly string[]): Promise<string[]> => {
  const found = new Set<string>()
  const entry = 'virtual:entry'
  const watch: Plugin = {
    name: 'node-modules',
    enforce: 'pre',
    resolveId(id, importer = '') {
      if (id === entry) return join(root, 'entry.js')
      if (!id.startsWith('node:') && !builtinModules.includes(id) && id !== 'onnxruntime-node') return undefined
      if (!importer.includes('onnxruntime-web')) found.add(`${id} ← ${importer}`)
      return { id, external: true }
    },
    load(id) {
      if (id !== join(root, 'entry.js')) return undefined
      return modules.map((name, i) => `export * as m${i} from '${name}'`).join('\n')
    },
  }
  await build({
    configFile: false,
    logLevel: 'error',
    root,
    plugins: [watch],
    build: {
      write: false,
      minify: false,
      reportCompressedSize: false,
      rollupOptions: { input: entry, preserveEntrySignatures: 'strict' },
    },
  })
  return [...found]
}
