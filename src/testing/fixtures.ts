import { join } from 'node:path'

const root = join(import.meta.dirname, '../../fixtures')

/** The path of a file or folder of `fixtures/`, such as 'gradients/mlp.onnx'. */
export const fixture = (path: string): string => join(root, path)
