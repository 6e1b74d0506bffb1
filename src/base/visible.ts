/**
 * What a terminal or a page would obey or hide instead of showing: control characters (C0, C1, DEL), formats such as
 * bidirectional overrides and zero-width characters, halves of surrogate pairs, separators of lines and paragraphs. The
 * joiners that words and emoji are written with are shown as they are.
 */
const hidden = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu

const short: { readonly [character: string]: string } = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const escaped = (character: string): string => {
  const code = character.codePointAt(0)!.toString(16)
  if (code.length <= 2) return short[character] ?? `\\x${code.padStart(2, '0')}`
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\u{${code}}`
}

/** Text from a file as one line that can be printed: what would not be seen is written as an escape, such as `\x1b`. */
export const visible = (text: string): string => text.replace(hidden, escaped)
