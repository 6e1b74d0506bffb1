import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, skipped } from '../testing/browser/chromium.ts'
import { renderReport } from './page.ts'
import { headlineOf } from './sections/headline.ts'
import { sampleReport } from './testing/sample.ts'
import type { ReportData, Stage } from './types.ts'

const stage = (figures: Partial<Stage>): Stage => ({
  name: 's',
  accuracy: 0.99,
  bytes: 1000,
  parameters: 10,
  macs: 100,
  ...figures,
})
const bare: ReportData = { title: 'Bare', model: 'm.onnx', stages: [stage({ name: 'original' })] }

describe('the text of the page', () => {
  const sample = sampleReport(0, 60)

  test.each([
    [
      stage({ bytes: 100, macs: 25, accuracy: 0.991 }),
      '10× smaller, 4.0× fewer multiplications and 0.10 points more accurate.',
    ],
    [stage({ bytes: 500, accuracy: 0.9 }), '2.0× smaller, the same work and 9.00 points less accurate.'],
    [stage({ bytes: 2000, macs: 400 }), '2.0× larger, 4.0× more multiplications and just as accurate.'],
  ])('a headline says what came of it', (last, sentence) => {
    expect(headlineOf(stage({}), last)).toBe(sentence)
  })

  test('data that went through JSON gives the same page', () => {
    expect(renderReport(JSON.parse(JSON.stringify(sample))) === renderReport(sample)).toBe(true)
  })

  test('what comes from a file cannot break the page', () => {
    const evil = '</script><img src=x onerror=alert(1)>"\'&'
    const text = renderReport({
      ...bare,
      title: evil,
      model: evil,
      stages: [stage({ name: evil, file: evil }), stage({ name: evil, bytes: 10 })],
      curve: [
        { step: 1, loss: 1 },
        { step: 2, loss: 0.5 },
      ],
      marks: [{ step: 1, label: evil }],
      layers: [{ name: evil, scores: [1, 2], kept: [false, true], criterion: evil }],
      network: { layers: [{ name: evil, kind: evil, channels: 2, kept: 1, group: evil, frozen: evil }] },
      confusion: [{ title: evil, classes: [evil], counts: [[1]] }],
      series: [
        {
          title: evil,
          y: evil,
          series: [
            {
              name: evil,
              points: [
                [0, 1],
                [1, 2],
              ],
            },
          ],
        },
      ],
      made: { command: evil, settings: { [evil]: evil } },
    })
    expect(text.includes('<img src=x')).toBe(false)
    expect(text.match(/<\/script>/g)).toHaveLength(1)
  })

  test('each section appears only with its data, and they are numbered without gaps', () => {
    const titles = (data: ReportData) =>
      [...renderReport(data).matchAll(/<h2><span class="n">(\d)<\/span>([^<]*)/g)].map(
        ([, n, title]) => `${n} ${title}`,
      )
    expect(titles(bare)).toEqual([])
    expect(titles(sample)).toEqual([
      '1 Train with Ranger',
      '2 Look at the kernels',
      '3 Remove the weak ones',
      '4 What follows each layer',
      '5 Compare',
      '6 Rebirth',
      '7 Repeat',
      '8 Along the way',
      '9 How this was made',
    ])
    const { kernels: _, rounds: __, series: ___, ...fewer } = sample
    expect(titles(fewer).slice(1)).toEqual([
      '2 Remove the weak ones',
      '3 What follows each layer',
      '4 Compare',
      '5 Rebirth',
      '6 How this was made',
    ])
  })

  test('every optional part may be missing by itself', () => {
    const optional = Object.keys(sample).filter((name) => !['title', 'model', 'stages'].includes(name))
    for (const name of optional) {
      const data = Object.fromEntries(Object.entries(sample).filter(([key]) => key !== name))
      // The script says 'undefined', and base64 any three letters: neither is meant.
      const words = renderReport({ ...bare, ...data }).replace(/<script>.*<\/script>|data:image\/png[^"]*/gs, '')
      expect(words.match(/.{30}(undefined|NaN|\[object).{30}/g), name).toBeNull()
    }
    expect(renderReport({ ...bare, stages: [] }).includes('<h1>Bare</h1>')).toBe(true)
  })
})

describe.skipIf(skipped)('the page in a browser', () => {
  let browser: Browser
  let folder: string
  let file: string

  beforeAll(async () => {
    browser = await launch()
    folder = await mkdtemp(join(tmpdir(), 'espalier-report-'))
    file = join(folder, 'report.html')
    await writeFile(file, renderReport(sampleReport(0, 60)))
  })

  afterAll(async () => {
    await browser?.close()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  /** Opens the page and gathers whatever went wrong. */
  const open = async (width: number) => {
    const page = await browser.newPage({ viewport: { width, height: 900 } })
    const troubles: string[] = []
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && troubles.push(message.text()))
    page.on('pageerror', (error) => troubles.push(error.message))
    page.on('requestfailed', (request) => troubles.push(`failed: ${request.url().slice(0, 80)}`))
    page.on('request', (request) => /^(file|data):/.test(request.url()) || troubles.push(`asked for ${request.url()}`))
    await page.goto(`file://${file}`)
    return { page, troubles }
  }

  const text = (page: Page) => page.locator('.tip').textContent()

  test('opens without an error or a request, with every picture there', async () => {
    const { page, troubles } = await open(1280)
    expect(await page.locator('h1').textContent()).toMatch(/smaller/)
    expect(await page.locator('h2').count()).toBe(9)
    for (const kind of ['lines', 'kernels', 'importance', 'network', 'bars', 'map', 'confusion', 'pareto'])
      expect(await page.locator(`svg.${kind}`).count(), kind).toBeGreaterThan(0)
    const drawings = await page.locator('svg.chart').evaluateAll((all) =>
      all
        .filter((svg) => svg.checkVisibility())
        .map((svg) => {
          const { width, height } = svg.getBoundingClientRect()
          return {
            width,
            height,
            name: svg.getAttribute('aria-label'),
            marks: svg.querySelectorAll('rect,path,circle,text').length,
          }
        }),
    )
    expect(drawings.length).toBeGreaterThanOrEqual(11)
    for (const drawing of drawings) {
      expect(drawing.width).toBeGreaterThan(200)
      expect(drawing.height).toBeGreaterThan(60)
      expect(drawing.marks).toBeGreaterThan(3)
      expect(drawing.name).toBeTruthy()
    }
    const images = await page
      .locator('img')
      .evaluateAll((all) =>
        all.map((image) => (image instanceof HTMLImageElement ? image.naturalWidth * image.naturalHeight : 0)),
      )
    expect(images).toHaveLength(58)
    expect(images.every((area) => area === 784)).toBe(true)
    expect(await page.locator('main').textContent()).not.toMatch(/undefined|NaN|Infinity/)
    expect(troubles).toEqual([])
    await page.close()
  })

  test('at the width of a phone or a desk, light or dark, nothing hangs over the edge', async () => {
    const { page, troubles } = await open(1280)
    for (const [width, colorScheme] of [
      [390, 'light'],
      [320, 'dark'],
      [1280, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
      const wide = await page
        .locator('figure, h1, h2, p, .cards li')
        .evaluateAll((all) =>
          all
            .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
            .map((element) => element.tagName),
        )
      expect(wide).toEqual([])
    }
    expect(troubles).toEqual([])
    await page.close()
  })

  test('tells what lies under the pointer, switches matrices, and can leave the curves as they are', async () => {
    const { page, troubles } = await open(1280)
    await page.locator('svg.importance rect.kept').first().hover()
    expect(await text(page)).toMatch(/^kernel \d+: .*, kept$/)
    await page.locator('svg.map').first().locator('[data-i="3"] text').hover({ force: true })
    expect(await page.locator('.tip .face').count()).toBe(1)
    expect(await page.locator('.same').count()).toBe(2)
    await page.locator('svg.lines').first().hover()
    expect(await text(page)).toMatch(/^step [\d,]+\ntraining batch [\d.]+\nvalidation [\d.]+$/)
    await page.locator('svg.network [data-group="conv1"]').first().hover()
    expect(await page.locator('.coupled').count()).toBe(2)

    const shown = () =>
      page
        .locator('.panels figcaption')
        .evaluateAll((all) => all.filter((e) => e.checkVisibility()).map((e) => e.textContent))
    expect(await shown()).toEqual(['retrained'])
    await page.getByText('original', { exact: true }).first().click()
    await page.locator('.tabs label', { hasText: 'change' }).click()
    expect(await shown()).toEqual(['From original to retrained'])

    const smooth = page.locator('svg.lines .smooth').first()
    expect(await smooth.isVisible()).toBe(true)
    await page.locator('[data-smooth]').uncheck()
    expect(await smooth.isVisible()).toBe(false)
    expect(troubles).toEqual([])
    await page.close()
  })
})
