import { isDeepStrictEqual } from 'node:util'
import { byteLengthOf, EspalierError, type Tensor } from '../base/index.ts'
import { ensure, Violation } from './target.ts'

/**
 * Runs a reader on a damaged file: the file is read, or refused with an error of this project in one clean line.
 * @throws Violation for any other end
 */
export const readOrRefused = async <T>(read: () => T | Promise<T>, check: (value: T) => void): Promise<string> => {
  let value: T
  try {
    value = await read()
  } catch (error) {
    if (!(error instanceof EspalierError))
      throw new Violation(`an error of another kind: ${error instanceof Error ? error.stack : String(error)}`)
    checkMessage(error.message)
    return 'refused'
  }
  check(value)
  return 'read'
}

/** Control and format characters, and those that end lines; the terminal obeys them. */
const unclean = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/u

/** What messages of errors that nobody meant to show look like. */
const internal =
  /\bat \S+ \(|\.[cm]?[jt]s:\d+|\b(Type|Reference|Syntax|Range|Internal)Error\b|Cannot read propert|is not a function|is not iterable|\[object \w+\]|\bundefined\b|=>|Invalid (typed )?array length|Maximum call stack|node_modules/

/** @throws Violation where a message for people has more than one line, control characters or internal text */
export const checkMessage = (message: string): void => {
  ensure(!unclean.test(message), `control characters in the message ${JSON.stringify(message)}`)
  ensure(message.trim() !== '', 'an empty message')
  const found = internal.exec(message)
  ensure(!found, `'${found?.[0]}' in the message: ${message}`)
}

/** @throws Violation where a tensor does not have the bytes that its type and shape ask for */
export const checkTensor = (tensor: Tensor, name = 'a tensor'): void => {
  if (tensor.type === 'string') return
  const wanted = byteLengthOf(tensor)
  ensure(tensor.bytes.length === wanted, `${name} has ${tensor.bytes.length} bytes where its shape needs ${wanted}`)
}

/** @throws Violation where something read differs after it was written and read again */
export const checkAgain = (value: unknown, again: unknown): void =>
  ensure(isDeepStrictEqual(value, again), 'what was read is not what is read after writing it')
