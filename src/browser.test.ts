import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Dataset } from './data/index.ts'
import { loadDataset } from './data/node.ts'
import { networkNamed } from './nn/index.ts'
import { decodeModel, encodeModel } from './onnx/index.ts'
import { nodeRuntime } from './runtime/node.ts'
import { bundle, installed, nodeModulesIn } from './testing/browser/bundle.ts'
import { launch, open, skipped } from './testing/browser/chromium.ts'
import { serve } from './testing/browser/server.ts'
import { answersOf, type Digits, datasetOf } from './testing/browser/story.ts'

const root = join(import.meta.dirname, '..')

/** The first pictures of a dataset, as bytes. */
const digitsOf = (data: Dataset, count: number): Digits => ({
  images: new Uint8Array(data.inputs.subarray(0, count * 784)),
  labels: Uint8Array.from(data.labels.subarray(0, count)),
})

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length
const start = (losses: readonly number[]) => mean(losses.slice(0, 5))
const end = (losses: readonly number[]) => mean(losses.slice(-5))

describe('in a bundle', () => {
  const manifest: { exports: Record<string, unknown> } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const inNode = ['onnx/file', 'formats/node', 'runtime/node', 'data/node', 'train/node']
  let folder: string

  beforeAll(async () => {
    folder = await installed()
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  const modules = Object.keys(manifest.exports).filter((path) => path !== './package.json')
  const nameOf = (path: string) => path.replace(/^\./, 'espalier')
  const nodes = modules.filter((path) => inNode.includes(path.slice(2)))

  test('every module that is not of Node by its name is found, and needs nothing of Node', async () => {
    const browsers = modules.filter((path) => !nodes.includes(path)).map(nameOf)
    expect(browsers.length).toBeGreaterThanOrEqual(14)
    expect(await nodeModulesIn(folder, browsers)).toEqual([])
  })

  test('those of Node by their names do need it', async () => {
    expect(nodes).toHaveLength(inNode.length)
    for (const path of nodes) expect(await nodeModulesIn(folder, [nameOf(path)]), path).not.toEqual([])
  })
})

describe.skipIf(skipped)('in a browser', () => {
  let folder: string
  let browser: Browser
  let digits: { train: Digits; test: Digits }

  beforeAll(async () => {
    const { train, test } = await loadDataset('mnist')
    digits = { train: digitsOf(train, 600), test: digitsOf(test, 300) }
    folder = await mkdtemp(join(tmpdir(), 'espalier-browser-'))
    browser = await launch()
    await bundle(join(root, 'src/testing/browser'), folder)
  })

  afterAll(async () => {
    await browser?.close()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  // Isolated pages have threads.
  test.each([
    { network: 'seed-cnn', isolated: false },
    { network: 'residual', isolated: false },
    { network: 'seed-cnn', isolated: true },
  ] as const)('$network is trained, pruned, proven, retrained and written (isolated: $isolated)', async (c) => {
    const files = Object.fromEntries(
      Object.entries(digits).flatMap(([part, { images, labels }]) => [
        [`/digits/${part}-images`, images],
        [`/digits/${part}-labels`, labels],
      ]),
    )
    const site = await serve(folder, { files, isolated: c.isolated })
    const { page, troubles } = await open(browser, site.url)
    try {
      const workers: string[] = []
      page.on('worker', (worker) => workers.push(worker.url()))
      const told = await page.evaluate(({ network }) => globalThis.run(network, 2), c)

      expect(told.isolated).toBe(c.isolated)
      // The story's own worker, and the engine's threads where the page may have some.
      expect(workers.filter((url) => url.includes('ort')).length > 0).toBe(c.isolated)
      expect(end(told.losses)).toBeLessThan(0.8 * start(told.losses))
      expect(end(told.retrainLosses)).toBeLessThan(0.9 * start(told.retrainLosses))
      expect(told.accuracy.untrained).toBeLessThan(0.25)
      expect(told.accuracy.trained).toBeGreaterThan(0.4)
      expect(told.accuracy.retrained).toBeGreaterThan(0.4)
      expect(told.equal).toBe(true)
      expect(told.difference).toBeLessThanOrEqual(1e-4)
      expect(told.bytes.pruned).toBeLessThan(0.6 * told.bytes.original)
      expect(told.longestPause).toBeLessThan(told.milliseconds / 4)

      const file = Uint8Array.from(told.file)
      const { graph } = decodeModel(file)
      expect(graph.initializers.get('conv1.weight')?.dims[0]).toBe(c.network === 'seed-cnn' ? 8 : 4)
      const answers = await answersOf(nodeRuntime, file, datasetOf('test', digits.test))
      const scale = Math.max(...answers.map(Math.abs))
      const apart = Math.max(...answers.map((answer, i) => Math.abs(answer - told.answers[i]!)))
      expect(told.answers).toHaveLength(answers.length)
      expect(apart / scale).toBeLessThan(1e-4)
      expect(troubles).toEqual([])
    } finally {
      await page.close()
      await site.close()
    }
  })
})

describe.skipIf(skipped)('the example page', () => {
  let folder: string
  let browser: Browser

  beforeAll(async () => {
    browser = await launch()
    folder = await installed('examples/browser')
    await bundle(join(folder, 'app'), join(folder, 'built'))
  })

  afterAll(async () => {
    await browser?.close()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  test('trains, prunes, proves, retrains and saves; opens files, and says what is wrong with one', async () => {
    const site = await serve(join(folder, 'built'))
    const { page, troubles } = await open(browser, site.url)
    const text = (id: string) => page.locator(`#${id}`).textContent()
    const ready = () => page.locator('#prune:not([disabled])').waitFor({ timeout: 100_000 })
    try {
      await ready()
      expect(await text('name')).toBe('seed-cnn: 2 prunable groups')
      expect(await page.locator('#frozen li').allTextContents()).toEqual(['fc.weight axis 0: an output of the graph'])

      await page.locator('#ratio').fill('75')
      await page.getByText('4 of 16 stay').waitFor()
      await page.locator('#train').click()
      await page.getByText(/^Step 60: /).waitFor({ timeout: 100_000 })
      await page.locator('#stop').click()
      await ready()
      expect(Number.parseFloat((await text('score')) ?? '')).toBeGreaterThan(30)
      expect(await page.locator('#curve .line path').count()).toBe(2)

      await page.locator('#prune').click()
      await page.getByText(/^Proven equal/).waitFor()
      await ready()
      expect(await text('name')).toBe('seed-cnn, pruned: 2 prunable groups')
      const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#download').click()])
      expect(download.suggestedFilename()).toBe('seed-cnn.pruned.onnx')
      const { graph } = decodeModel(new Uint8Array(await readFile(await download.path())))
      expect(graph.initializers.get('conv2.weight')?.dims).toEqual([8, 4, 5, 5])

      const pick = (name: string, buffer: Buffer) =>
        page.locator('#onnx').setInputFiles({ name, mimeType: 'application/octet-stream', buffer })
      await pick('broken.onnx', Buffer.from('not a network'))
      await page.getByText(/^file 'broken\.onnx': /).waitFor()
      await ready()
      await pick('lenet.onnx', Buffer.from(encodeModel(networkNamed('lenet-300-100').build())))
      await page.getByText('lenet.onnx: 2 prunable groups').waitFor()

      await page.setViewportSize({ width: 360, height: 740 })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
      expect(troubles).toEqual([])
    } finally {
      await page.close()
      await site.close()
    }
  })
})
