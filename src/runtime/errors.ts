import { type DataType, dataTypes, type ErrorPlace, EspalierError, messageOf, UnsupportedError } from '../base/index.ts'

/**
 * What the engine threw, as one of this library's errors: one line, without the engine's own source locations, the node
 * and operator named when its message has them.
 */
export const engineError = (error: unknown, doing: string): EspalierError => {
  if (error instanceof EspalierError) return error
  const type = untransferableType(error)
  if (type !== undefined)
    return new UnsupportedError(
      `the model has an input or output of type ${type}, which ONNX Runtime cannot pass to JavaScript`,
      { remedy: 'cast it to float32 inside the graph', cause: error },
    )
  const raw = messageOf(error)
  return new EspalierError(`ONNX Runtime could not ${doing}: ${tidy(raw)}`, { place: placeIn(raw), cause: error })
}

/** The element type the engine refused to hand over, if that is what it complained about. */
export const untransferableType = (error: unknown): DataType | undefined => {
  const cause = error instanceof UnsupportedError ? error.cause : error
  const number = /unsupported data type: (\d+)/i.exec(messageOf(cause))?.[1]
  return number === undefined ? undefined : typesByNumber.get(Number(number))
}

const isDataType = (name: string): name is DataType => name in dataTypes
const typesByNumber = new Map<number, DataType>(
  Object.keys(dataTypes)
    .filter(isDataType)
    .map((name) => [dataTypes[name].onnx, name]),
)

/** Drops call paths, error codes and the engine's source lines: what is left says what is wrong. */
const tidy = (message: string): string =>
  message
    .replace(/^.*?ERROR_MESSAGE: /s, '')
    .replace(
      /(?:\/|[A-Z]:\\)\S+\.(?:cc|cpp|h|hpp):\d+ .*?(?:\([^()]*(?:\([^()]*\)[^()]*)*\)|(?=:))( const)?(?: \[with .*?\])?:? ?/g,
      '',
    )
    .replace(/\s+/g, ' ')
    .trim()

/** Where the engine's usual wordings name a node: at load, when a kernel is missing, and while running. */
const wordings: readonly { readonly pattern: RegExp; readonly node?: number; readonly operator?: number }[] = [
  { pattern: /while running (\S+) node\. Name:'([^']*)'/, operator: 1, node: 2 },
  { pattern: /find an implementation for (\S+?)\(\d+\) node with name '([^']*)'/, operator: 1, node: 2 },
  { pattern: /In Node, \("([^"]*)", (\w+),/, node: 1, operator: 2 },
  { pattern: /Node:? ?\(([^)]*)\) Op \((\w+)\)/, node: 1, operator: 2 },
  { pattern: /Optype \((\w+)\) bound to different types .* in node \(([^)]*)\)/, operator: 1, node: 2 },
  { pattern: /of operator \((\w+)\) in node \(([^)]*)\)/, operator: 1, node: 2 },
  { pattern: /output arg \([^)]*\) of node \(([^)]*)\)/, node: 1 },
  { pattern: /(?:Fatal error: |No Op registered for )([\w.:]+)/, operator: 1 },
]

const placeIn = (message: string): ErrorPlace => {
  for (const { pattern, node, operator } of wordings) {
    const found = pattern.exec(message)
    if (!found) continue
    const place: ErrorPlace = {}
    if (node !== undefined && found[node]) place.node = found[node]
    if (operator !== undefined && found[operator]) place.operator = found[operator]
    return place
  }
  return {}
}
