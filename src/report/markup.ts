import { visible } from '../base/index.ts'

/** A piece of HTML or SVG that is safe to put in a page as it is. Made only by `markup` and `raw`. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

/** What may stand in a template: text and numbers are escaped, markup and lists of it are not, nothing is left out. */
export type Content = Markup | string | number | undefined | null | false | readonly Content[]

/** Marks text as markup that must not be escaped: style sheets, scripts, whatever this library wrote itself. */
export const raw = (text: string): Markup => new Markup(text)

export const escapeText = (text: string): string =>
  text
    .replace(/[&<>"']/g, (c) => entities[c]!)
    .split('\n')
    .map(visible)
    .join('\n')

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

const written = (content: Content): string => {
  if (content === undefined || content === null || content === false) return ''
  if (content instanceof Markup) return content.text
  if (typeof content === 'string') return escapeText(content)
  if (typeof content === 'number') return short(content)
  return content.map(written).join('')
}

/** Coordinates need no more than hundredths, and pages of thousands of them grow with every digit. */
const short = (value: number): string => (Number.isFinite(value) ? String(Math.round(value * 100) / 100) : '0')

/** A template of HTML or SVG whose contents are escaped by default, so that nothing from a file can break the page. */
export const markup = (strings: TemplateStringsArray, ...contents: readonly Content[]): Markup =>
  new Markup(strings.reduce((text, part, i) => text + written(contents[i - 1]) + part))
