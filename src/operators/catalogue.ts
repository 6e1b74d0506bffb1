import { sequenceOperators } from '../onnx/index.ts'

/**
 * ONNX's own operators that have neither a row nor a plainer form, and why: what a reader of the table would otherwise miss.
 * Control flow, sequences and optionals are followed before anything is differentiated, so nothing is left of them by then.
 */
export const withoutRow: { readonly [opType: string]: string } = {
  ...reasons('followed where its course is known before the graph runs, else an error', ['If', 'Loop', 'Scan']),
  ...reasons('followed to its tensors where positions are known before the graph runs, else an error', [
    ...sequenceOperators,
  ]),
  ...reasons('none: it reads text', [
    'RegexFullMatch',
    'StringConcat',
    'StringNormalizer',
    'StringSplit',
    'TfIdfVectorizer',
  ]),
  ImageDecoder: 'none: it reads a file, and ONNX Runtime does not run it',
}

function reasons(reason: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, reason]))
}
