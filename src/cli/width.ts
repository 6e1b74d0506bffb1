/** Letters that a terminal shows two columns wide: East Asian ones and emoji. */
const wide =
  /^(?:[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f)/u

const segmenter = new Intl.Segmenter()

const isPlain = (text: string): boolean => /^[\u0020-\u024f\u2500-\u259f]*$/.test(text)

const columnsOf = (letter: string): number => (wide.test(letter) ? 2 : /^[\p{M}\u200c\u200d]+$/u.test(letter) ? 0 : 1)

const lettersOf = (text: string): string[] => Array.from(segmenter.segment(text), ({ segment }) => segment)

/** Columns that a text takes on a terminal; a letter and the marks combined with it count as one. */
export const widthOf = (text: string): number =>
  isPlain(text) ? text.length : lettersOf(text).reduce((sum, letter) => sum + columnsOf(letter), 0)

export const padEnd = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)))

export const padStart = (text: string, width: number): string => ' '.repeat(Math.max(0, width - widthOf(text))) + text

/** A text cut to a width, its last column then an ellipsis. */
export const cut = (text: string, width: number): string => {
  // What is far beyond the width is not looked at: no letter is longer than that.
  const near = text.slice(0, 16 * width + 16)
  if (near.length === text.length && widthOf(near) <= width) return text
  let [kept, taken] = ['', 0]
  for (const letter of isPlain(near) ? near : lettersOf(near)) {
    taken += columnsOf(letter)
    if (taken > width - 1) break
    kept += letter
  }
  return `${kept}…`
}
