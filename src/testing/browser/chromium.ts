import { type Browser, chromium, type Page } from 'playwright-core'
import { packaged } from '../packages.ts'

const found = packaged('chromium')

/** Where there is no Chromium, at CHROMIUM_PATH or where Debian has it, tests that need it are skipped. */
export const skipped = !found

/** Chromium's own software adapter, which needs no GPU. */
const softwareGpu = [
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan,WebGPU',
  '--use-webgpu-adapter=swiftshader',
  '--use-vulkan=swiftshader',
]

/** Starts Chromium without anything that goes to the network by itself; with a GPU made of software where asked for. */
export const launch = (gpu = false): Promise<Browser> => {
  if (!found) throw new Error('there is no Chromium: install it, or set CHROMIUM_PATH')
  const quiet = ['quic', 'background-networking', 'component-update', 'sync'].map((part) => `--disable-${part}`)
  return chromium.launch({
    executablePath: found,
    args: ['--headless', '--no-sandbox', '--no-first-run', ...quiet, ...(gpu ? softwareGpu : ['--disable-gpu'])],
  })
}

/** Opens a page and gathers whatever goes wrong on it: complaints, failures, and requests beyond its own site. */
export const open = async (
  browser: Browser,
  url: string,
  viewport = { width: 1000, height: 800 },
): Promise<{ page: Page; troubles: string[] }> => {
  const page = await browser.newPage({ viewport })
  const troubles: string[] = []
  const site = new URL(url).origin
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && troubles.push(message.text()))
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('requestfailed', (request) => troubles.push(`failed: ${request.url().slice(0, 80)}`))
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url())
    if (origin !== site && !['data:', 'blob:'].includes(protocol)) troubles.push(`asked for ${request.url()}`)
  })
  page.on('response', (response) => response.ok() || troubles.push(`${response.status()}: ${response.url()}`))
  await page.goto(url)
  return { page, troubles }
}
