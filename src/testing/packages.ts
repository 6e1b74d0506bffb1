import { existsSync } from 'node:fs'

/** Software that some tests need and npm does not install: Debian's packages, each with the paths that it may be found at. */
const packages = {
  'libonnx-testdata': ['/usr/share/libonnx-testdata/data'],
  chromium: [
    process.env.CHROMIUM_PATH ?? '',
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
  ],
  'dataset-fashion-mnist': ['/usr/share/datasets/fashion-mnist'],
  'python3-numpy': ['/usr/lib/python3/dist-packages/numpy'],
  'python3-torch': ['/usr/lib/python3/dist-packages/torch'],
}

/** Packages to treat as missing, to see what is tested without them: `TEST_WITHOUT=chromium,python3-torch`, or `all`. */
const hidden = (process.env.TEST_WITHOUT ?? '').split(',')

const find = (name: string, paths: readonly string[]): string | undefined =>
  hidden.includes('all') || hidden.includes(name) ? undefined : paths.find((path) => path && existsSync(path))

/** The path of a package; undefined where it is not installed, and tests that need it are skipped. */
export const packaged = (name: keyof typeof packages): string | undefined => find(name, packages[name])

/** Printed before the first test and after the last: which packages are missing. */
const print = () => {
  const missing = Object.entries(packages).flatMap(([name, paths]) => (find(name, paths) === undefined ? [name] : []))
  if (missing.length > 0)
    console.warn(
      `\nSkipping the tests that need these Debian packages, which are not installed: ${missing.join(', ')}\n`,
    )
}

/** Vitest calls these (`globalSetup` of vitest.config.ts). */
export const setup = print
export const teardown = print
