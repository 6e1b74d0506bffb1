import { type Markup, markup, raw } from './markup.ts'
import { script } from './script.ts'
import { headline } from './sections/headline.ts'
import { beside } from './sections/parts.ts'
import { type Section, storyOf } from './story.ts'
import { style } from './style.ts'
import type { ReportData } from './types.ts'

/**
 * The report as one HTML file that needs nothing else: styles, pictures and its small script are inside, and a content
 * security policy forbids every request. It follows the system's light or dark theme and can be printed.
 */
export const renderReport = (data: ReportData): string =>
  markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"/>
<meta name="generator" content="Espalier"/>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 18 18"><path fill="none" stroke="#0b7a75" stroke-width="2" stroke-linecap="round" d="${tree}"/></svg>`)}"/>
<title>${data.title}</title>
<style>${raw(style)}</style>
</head>
<body>
<header><p class="over">${leaf}${data.title}</p>${headline(data)}</header>
<main>${storyOf(data).map(section)}</main>
<footer>Made by Espalier, which trains, prunes and retrains ONNX files in TypeScript.</footer>
<script>${raw(script)}</script>
</body>
</html>
`.text

const section = ({ id, title, text, body, ...layout }: Section, k: number): Markup => {
  const words = markup`<h2><span class="n">${k + 1}</span>${title}</h2>${text && markup`<p>${text}</p>`}`
  return markup`<section id="${id}">${layout.beside ? beside(words, body) : [words, body]}</section>
`
}

/** An espalier: a stem with three pairs of level branches. */
const tree = 'M9 17V2M3 4V6H15V4M2 8V10.5H16V8M3 12.5V14.5H15V12.5'

const leaf = markup`<svg viewBox="0 0 18 18" aria-hidden="true"><path fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" d="${tree}"/></svg>`
