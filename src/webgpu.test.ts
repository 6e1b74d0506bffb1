import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeRuntime } from './runtime/node.ts'
import { bundle } from './testing/browser/bundle.ts'
import { launch, open, skipped } from './testing/browser/chromium.ts'
import { serve } from './testing/browser/server.ts'
import { type Step, stepOn } from './testing/browser/step.ts'

/** ‖a − b‖ / ‖b‖ over all gradients. */
const apart = (a: Step, b: Step): number => {
  const flat = ({ gradients }: Step) => Object.values(gradients).flat()
  const [x, y] = [flat(a), flat(b)]
  expect(x).toHaveLength(y.length)
  return Math.hypot(...x.map((value, i) => value - y[i]!)) / Math.hypot(...y)
}

describe.skipIf(skipped)('a training step in Chromium', () => {
  let folder: string
  let browser: Browser

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'espalier-gpu-'))
    browser = await launch(true)
    await bundle(join(import.meta.dirname, 'testing/browser'), folder)
  })

  afterAll(async () => {
    await browser?.close()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  // Most of the time the software adapter compiles shaders.
  test.for(['wasm', 'webgpu'] as const)(
    'on %s it is that of Node',
    { timeout: 240_000 },
    async (provider, { skip }) => {
      const site = await serve(folder)
      const { page, troubles } = await open(browser, site.url)
      page.setDefaultTimeout(0)
      try {
        const adapter = await page.evaluate(() => globalThis.adapter())
        skip(
          provider === 'webgpu' && adapter === undefined,
          'this Chromium has no WebGPU adapter, not even its software one',
        )
        const told = await page.evaluate((where) => globalThis.step(where), provider)
        const native = await stepOn(nodeRuntime)
        expect(told.provider).toBe(provider)
        expect(Math.abs(told.loss - native.loss)).toBeLessThan(1e-5 * native.loss)
        expect(apart(told, native)).toBeLessThan(1e-5)
        // In a browser the memory of gradients goes back to the next step.
        expect([native.left > 0, told.left]).toEqual([true, 0])
        expect(troubles.filter((trouble) => !/adapter|Vulkan/i.test(trouble))).toEqual([])
      } finally {
        await page.close()
        await site.close()
      }
    },
  )

  // Chromium keeps the pages of arrays given back only beside enough others: a megabyte of gradients is 260 pages.
  test.skipIf(process.platform !== 'linux')('takes few fresh pages of memory', async () => {
    const site = await serve(folder)
    const { page } = await open(browser, site.url)
    const system = await browser.newBrowserCDPSession()
    const { processInfo } = await system.send('SystemInfo.getProcessInfo')
    /** Pages the system has provided to the browser's pages, from proc(5). */
    const provided = async () => {
      const stats = processInfo
        .filter(({ type }) => type === 'renderer')
        .map(async ({ id }) => Number((await readFile(`/proc/${id}/stat`, 'utf8')).split(') ')[1]!.split(' ')[7]))
      return (await Promise.all(stats)).reduce((sum, count) => sum + count, 0)
    }
    try {
      await page.evaluate(() => globalThis.steps(100))
      const before = await provided()
      await page.evaluate(() => globalThis.steps(100))
      expect((await provided()) - before).toBeLessThan(100 * 260)
    } finally {
      await page.close()
      await site.close()
    }
  })
})
