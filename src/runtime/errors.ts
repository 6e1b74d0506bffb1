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

/** Drops error codes, the engine's source lines with the C++ signature after them, and preambles that only say where. */
const tidy = (message: string): string => {
  const text = message.replace(/^.*?ERROR_MESSAGE: /s, '').replace(/\s+/g, ' ')
  const source = /(?:\/|[A-Z]:\\)[^\s:]+\.(?:cc|cpp|hpp|h):\d+ /.exec(text)
  const own = source ? withoutSignature(text.slice(source.index + source[0].length)) : text
  return own
    .replace(/^Non-zero status code returned while running \S+ node\. Name:'[^']*' Status Message: /, '')
    .replace(/^This is an invalid model\. In Node, .* , Error /, '')
    .trim()
}

/** `void ns::Class::Method(type, type) const what went wrong` without its signature. */
const withoutSignature = (text: string): string => {
  const start = /^[^()]*::[^()]*(?=\()/.exec(text)
  if (!start) return text
  let depth = 0
  for (let i = start[0].length; i < text.length; i++) {
    if (text[i] === '(') depth++
    if (text[i] === ')' && --depth === 0) return text.slice(i + 1).replace(/^ const /, ' ')
  }
  return text
}

/** How the engine names a node, operator or value: at load, when a kernel is missing, and while running. */
const wordings: readonly RegExp[] = [
  /while running (?<operator>\S+) node\. Name:'(?<node>[^']*)'/,
  /find an implementation for (?<operator>\S+?)\(\d+\) node with name '(?<node>[^']*)'/,
  /In Node, \("(?<node>[^"]*)", (?<operator>\w+),/,
  /Node:? ?\((?<node>[^)]*)\) Op \((?<operator>\w+)\)/,
  /Optype \((?<operator>\w+)\) bound to different types .* in node \((?<node>[^)]*)\)/,
  /of operator \((?<operator>\w+)\) in node \((?<node>[^)]*)\)/,
  /output arg \([^)]*\) of node \((?<node>[^)]*)\)/,
  /Node\((?<node>[^)]*)\) with schema/,
  /No Op registered for (?<operator>[\w.:]+)/,
  /error: (?<operator>[\w.:]+)\(-?\d+\) is not a registered function/,
  /Node input '(?<value>[^']*)' is not a graph input/,
]

const placeIn = (message: string): ErrorPlace => {
  for (const wording of wordings) {
    const { node, operator, value } = wording.exec(message)?.groups ?? {}
    if (node || operator || value)
      return { ...(node ? { node } : {}), ...(operator ? { operator } : {}), ...(value ? { value } : {}) }
  }
  return {}
}
