import { type Content, type Markup, markup } from '../markup.ts'

/** A drawing in its frame, with a heading and, where needed, a sentence below. */
export const figure = (caption: Content, drawing: Content, below?: Content): Markup =>
  markup`<figure><figcaption>${caption}</figcaption>${drawing}${below && markup`<p class="below">${below}</p>`}</figure>`

/** What the colours of a drawing mean. */
export const key = (
  entries: readonly { readonly name: string; readonly colour: string; readonly hollow?: boolean }[],
  blocks = false,
): Markup =>
  markup`<ul class="key ${blocks ? 'blocks' : ''}">${entries.map(
    ({ name, colour, hollow }) =>
      markup`<li><i class="${hollow ? 'hollow' : ''}" style="--c: var(--${colour})"></i>${name}</li>`,
  )}</ul>`

/** Panels of which one is shown at a time, `shown` to begin with. Works without a script. */
export const tabs = (
  id: string,
  panels: readonly { readonly name: string; readonly content: Markup }[],
  shown = 0,
): Markup =>
  markup`<fieldset class="tabs">${panels.map(
    ({ name }, k) =>
      markup`<input type="radio" name="${id}" id="${id}-${k}" ${k === shown && markup`checked`}/><label for="${id}-${k}">${name}</label>`,
  )}<div class="panels">${panels.map(({ content }) => markup`<div>${content}</div>`)}</div></fieldset>`

/** `['a']` → 'a', `['a', 'b', 'c']` → 'a, b and c'. */
export const listed = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`

/** Words at the left and a picture at the right where there is room, else one below the other. */
export const beside = (words: Content, picture: Content): Markup =>
  markup`<div class="beside"><div>${words}</div><div>${picture}</div></div>`
