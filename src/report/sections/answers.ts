import { confusionChange, confusionChart } from '../charts/confusion.ts'
import { changedPictures } from '../charts/digits.ts'
import { mapChart } from '../charts/scatter.ts'
import { type Markup, markup } from '../markup.ts'
import { greyDataUri, spriteSheet } from '../png.ts'
import type { ChangedAnswers, Confusion, Embeddings } from '../types.ts'
import { figure, key, tabs } from './parts.ts'

const spriteColumns = 25

/** The maps side by side; a hover shows the input itself and finds it on the other map. */
export const embeddingMaps = (embeddings: Embeddings): Markup => {
  const { pictures, maps, classes, labels } = embeddings
  const sprite =
    pictures?.length === labels.length && pictures.length > 0 ? spriteSheet(pictures, spriteColumns) : undefined
  const attributes =
    sprite &&
    markup` data-sprite="${greyDataUri(sprite)}" data-columns="${spriteColumns}" data-rows="${Math.ceil(labels.length / spriteColumns)}"`
  return markup`<div class="pair"${attributes}>${maps.map((map, which) =>
    figure(
      markup`${map.title}<small>${labels.length} points</small>`,
      mapChart(embeddings, which),
      map.answers && 'Ringed: answered wrong.',
    ),
  )}</div><p class="tools">${key(
    classes.map((name, k) => ({ name, colour: `k${k % 10}` })),
    true,
  )}</p>`
}

export const confusionTabs = (matrices: readonly Confusion[]): Markup => {
  const [first, last] = [matrices[0]!, matrices.at(-1)!]
  const panels = matrices.map((matrix) => ({
    name: matrix.title,
    content: figure(matrix.title, confusionChart(matrix)),
  }))
  if (first !== last)
    panels.push({
      name: 'change',
      content: figure(`From ${first.title} to ${last.title}`, confusionChange(first, last)),
    })
  return panels.length > 1 ? tabs('confusion', panels, matrices.length - 1) : panels[0]!.content
}

/** More pictures than this say nothing new and make the page heavy. */
const most = 60

export const changedGroups = (changed: ChangedAnswers): Markup => {
  const groups = [
    { name: 'Corrected', images: changed.images.filter(({ label, after }) => after === label) },
    { name: 'Broken', images: changed.images.filter(({ label, before }) => before === label) },
    {
      name: 'Wrong in another way',
      images: changed.images.filter(({ label, before, after }) => before !== label && after !== label),
    },
  ].filter(({ images }) => images.length > 0)
  return markup`<div class="pair">${groups.map(({ name, images }) =>
    figure(
      markup`${name}<small>${images.length > most ? `${most} of ${images.length} shown` : images.length}</small>`,
      changedPictures(changed, images.slice(0, most)),
    ),
  )}</div>`
}
