import { open, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EspalierError, FormatError, type Tensor, type TensorType } from '../base/index.ts'
import { fileSize, readBytes } from './file.ts'
import { readBundle, type ShardReader } from './tensorflow/bundle.ts'
import { readSavedSlices } from './tensorflow/saved-slices.ts'

/** A checkpoint opened: its index is read, its variables' values are read on demand. */
type Checkpoint = {
  variables: Map<string, TensorType>
  tensor(name: string): Promise<Tensor>
  close(): Promise<void>
}

/**
 * Reads every variable of a TensorFlow checkpoint, of version 1 or 2. `path` is the prefix that `tf.train.Saver.save`
 * returned (`net.ckpt-99900`) or any of the checkpoint's files. Checksums are verified.
 * @throws FormatError naming the file, and the variable where one is damaged.
 */
export const readCheckpoint = async (path: string): Promise<Map<string, Tensor>> => {
  const checkpoint = await openCheckpoint(path)
  try {
    const tensors = new Map<string, Tensor>()
    for (const name of checkpoint.variables.keys()) tensors.set(name, await checkpoint.tensor(name))
    return tensors
  } finally {
    await checkpoint.close()
  }
}

/**
 * The type and shape of every variable of a TensorFlow checkpoint, as `get_variable_to_shape_map` gives them; the type
 * is 'undefined' for what is no array (resources, variants). Reads only the index of a version 2 checkpoint.
 */
export const variableShapes = async (path: string): Promise<Map<string, TensorType>> => {
  const checkpoint = await openCheckpoint(path)
  await checkpoint.close()
  return checkpoint.variables
}

const suffix = /\.(index|meta|data-\d{5}-of-\d{5})$/

const openCheckpoint = async (path: string): Promise<Checkpoint> => {
  const prefix = path.replace(suffix, '')
  if ((await fileSize(`${prefix}.index`)) !== undefined) return openBundle(prefix)
  const files = await sliceFiles(prefix)
  if (files.length === 0)
    throw new EspalierError('there is no TensorFlow checkpoint of this name', {
      place: { file: path },
      remedy: `give its prefix or one of its files; neither '${prefix}.index' nor '${prefix}' exists`,
    })
  const saved = readSavedSlices(await Promise.all(files.map(async (file) => ({ bytes: await readBytes(file), file }))))
  return { variables: saved.variables, tensor: async (name) => saved.tensor(name), close: async () => {} }
}

/** Version 2: an index and its data shards, read piece by piece so that memory holds only the variables. */
const openBundle = async (prefix: string): Promise<Checkpoint> => {
  const index = `${prefix}.index`
  const bundle = readBundle(await readBytes(index), index)
  const shards = new Map<number, Awaited<ReturnType<typeof open>>>()

  const read: ShardReader = async (shard, offset, size) => {
    const file = `${prefix}.data-${digits(shard)}-of-${digits(bundle.shards)}`
    const length = await fileSize(file)
    if (length === undefined) throw new Error(`its file '${file}' is missing`)
    if (offset + size > length)
      throw new Error(`its bytes ${offset} to ${offset + size} lie past the end of '${file}', which has ${length}`)
    const handle = shards.get(shard) ?? (await open(file))
    shards.set(shard, handle)
    const bytes = new Uint8Array(size)
    for (let at = 0; at < size; ) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(size - at, 2 ** 30), offset + at)
      if (bytesRead === 0) throw new Error(`'${file}' became shorter while it was read`)
      at += bytesRead
    }
    return bytes
  }

  return {
    variables: bundle.variables,
    tensor: (name) => bundle.tensor(name, read),
    close: async () => {
      for (const handle of shards.values()) await handle.close()
    },
  }
}

/** Version 1: the one file, or all the shards of the name that this is one of. */
const sliceFiles = async (prefix: string): Promise<string[]> => {
  const shard = /-\d{5}-of-(\d{5})$/
  if (!shard.test(prefix) && (await fileSize(prefix)) !== undefined) return [prefix]
  const base = basename(prefix).replace(shard, '')
  const names = await readdir(dirname(prefix)).catch(() => [])
  const files = names.filter((name) => shard.test(name) && name.replace(shard, '') === base).sort()
  const expected = Number(files[0]?.match(shard)?.[1] ?? 0)
  if (files.length !== expected)
    throw new FormatError(`${files.length} of the checkpoint's ${expected} shards are there`, {
      place: { file: prefix },
      remedy: 'copy the missing ones beside them',
    })
  return files.map((name) => join(dirname(prefix), name))
}

const digits = (shard: number) => String(shard).padStart(5, '0')
