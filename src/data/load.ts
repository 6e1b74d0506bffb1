import { UsageError } from '../base/index.ts'
import { readNpz, readSafetensors } from '../formats/file.ts'
import { arraysByName, type LoadOptions, type Splits, splitsOf } from './sources/arrays.ts'
import { loadCsv } from './sources/csv.ts'
import { loadIdx, loadMnist } from './sources/idx.ts'
import { loadImages } from './sources/images.ts'

/** The kinds of data a SPEC may name, and how each is read. */
const sources: Record<string, (path: string, options: LoadOptions) => Promise<Splits>> = {
  idx: loadIdx,
  images: loadImages,
  npz: async (path, options) => splitsOf(`npz:${path}`, arraysByName(await readNpz(path), path), options),
  safetensors: async (path, options) =>
    splitsOf(`safetensors:${path}`, arraysByName((await readSafetensors(path)).tensors, path), options),
  csv: loadCsv,
}

/**
 * Reads training and test samples from what `spec` names: `mnist`, `idx:DIR`, `images:DIR` (a folder per class),
 * `npz:FILE`, `safetensors:FILE` or `csv:FILE`. Where the source has no test samples, some are set aside, the same
 * share of every class.
 * @throws UsageError for another spec; FormatError naming the file that is damaged or does not fit.
 */
export const loadDataset = async (spec: string, options: LoadOptions = {}): Promise<Splits> => {
  const { path, load } = sourceOf(spec)
  return load(path, options)
}

/** @throws UsageError for a spec that names no kind of data; whether there is such a file is not looked at */
export const checkSpec = (spec: string): void => {
  sourceOf(spec)
}

const sourceOf = (spec: string) => {
  if (spec === 'mnist') return { path: '', load: (_: string, options: LoadOptions) => loadMnist(options) }
  const [, kind = '', path = ''] = /^([a-z]+):(.+)$/s.exec(spec) ?? []
  const load = Object.hasOwn(sources, kind) ? sources[kind] : undefined
  if (!load)
    throw new UsageError(`'${spec}' names no data`, {
      remedy: 'give mnist, idx:DIR, images:DIR, npz:FILE, safetensors:FILE or csv:FILE',
    })
  return { path, load }
}
