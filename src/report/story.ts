import { barChart, cutAtOnce } from './charts/bars.ts'
import { paretoChart } from './charts/scatter.ts'
import { capital, milliseconds, percent, points, seconds } from './format.ts'
import { type Content, type Markup, markup } from './markup.ts'
import { changedGroups, confusionTabs, embeddingMaps } from './sections/answers.ts'
import { groupPictures } from './sections/groups.ts'
import { stagesTable, timeFor } from './sections/headline.ts'
import { beside, figure } from './sections/parts.ts'
import { importanceCharts, kernelPictures, networkPicture } from './sections/pruning.ts'
import { seriesPlots, trainingCurves } from './sections/training.ts'
import type { Provenance, ReportData } from './types.ts'

export type Section = {
  readonly id: string
  readonly title: string
  readonly text: Content
  readonly body: Content
  /** The words stand at the left of the picture where there is room. */
  readonly beside?: boolean
}

type Chapter = (data: ReportData) => Section | undefined

/** The story in its order: train, look, prune, follow through, compare, rebirth, repeat. A chapter without data is none. */
export const storyOf = (data: ReportData): Section[] => chapters.flatMap((chapter) => chapter(data) ?? [])

const accuracyFields = ['accuracy', 'validationAccuracy', 'testAccuracy'] as const

const train: Chapter = (data) => {
  const body = trainingCurves(data)
  const pruned = (data.marks?.length ?? 0) > 0
  const told = (data.curve ?? []).some((point) => accuracyFields.some((field) => Number.isFinite(point[field])))
  return (
    body && {
      id: 'train',
      title: data.optimizer ? `Train with ${nameOf(data.optimizer)}` : 'Train',
      text: `${
        pruned
          ? 'The network learns until it improves no further. A dotted line is a moment when kernels were removed; what comes after it is retraining.'
          : 'The network learns from one batch a step; the test samples it is only asked about.'
      }${told ? ' The accuracy axis spreads out the last per cent, where the differences are.' : ''}`,
      body,
    }
  )
}

/** Without what it is made of: 'Ranger (RAdam, Lookahead)' → 'Ranger'. */
const nameOf = (optimizer: string): string => optimizer.replace(/ \(.*/, '')

const look: Chapter = ({ kernels }) =>
  kernels && {
    id: 'kernels',
    title: 'Look at the kernels',
    text: `These are the filters of the first layer as it learned them, ${kernels.height}×${kernels.width} weights each. Some have found an edge or a stroke; some have hardly any weight at all.`,
    body: kernelPictures(kernels),
    beside: true,
  }

const prune: Chapter = ({ layers, criterion }) =>
  layers?.length
    ? {
        id: 'prune',
        title: 'Remove the weak ones',
        text: `Every kernel of a layer in order of its importance${criterion ? `: the ${criterion}` : ''}. ${
          layers.every(cutAtOnce)
            ? 'Those left of the cut contribute least and are removed: gone from the file, not set to zero.'
            : 'The least important are removed: gone from the file, not set to zero. Where one that stayed stands left of one that went, retraining between the rounds had changed their order.'
        }`,
        body: importanceCharts(layers),
      }
    : undefined

const follow: Chapter = ({ network }) =>
  network?.layers.length
    ? {
        id: 'network',
        title: 'What follows each layer',
        text: 'A kernel that goes takes its output channel with it, and so the matching input channel of whatever comes next: the following convolution, the rows of the matrix after Flatten. The bars are to scale.',
        body: networkPicture(network),
        beside: true,
      }
    : undefined

const coupled: Chapter = ({ groups }) =>
  groups?.length
    ? {
        id: 'groups',
        title: 'What lives and dies together',
        text: 'A unit can only go from all layers at once that have a slice of it: those that make it, at the left, and those that read it, at the right. The filled part of each knot stays.',
        body: groupPictures(groups),
      }
    : undefined

const compare: Chapter = (data) => {
  const { stages, made } = data
  if (stages.length < 2) return undefined
  const timed = stages.filter((stage) => stage.latencyMs !== undefined)
  return {
    id: 'compare',
    title: 'Compare',
    text: `The same measurements at every stage${data.dataset ? `, on ${data.dataset}` : ''}. MACs are the multiplications, each with an addition, that one input takes.`,
    body: markup`${stagesTable(data)}${
      timed.length > 1 &&
      beside(
        markup`<h3>${timeFor(data)}</h3><p class="soft">Measured, not worked out from the multiplications: fewer of them need not mean less time. The bar is the median${timed.some((stage) => stage.latencyRange) && ', the thin line the span from the 10th to the 90th percentile'}.${made?.latencyNote && ` ${capital(made.latencyNote)}.`}</p>`,
        figure(
          'Milliseconds',
          barChart(
            'Median latency of each stage',
            timed.map(({ name, latencyMs, latencyRange }) => ({
              name,
              value: latencyMs!,
              ...(latencyRange && { range: latencyRange }),
            })),
            milliseconds,
          ),
        ),
      )
    }`,
  }
}

const rebirth: Chapter = (data) => {
  const { embeddings, confusion, changed, stages } = data
  if (!embeddings?.maps.length && !confusion?.length && !changed?.images.length) return undefined
  const [pruned, last] = [stages.at(-2), stages.at(-1)]
  const gained = stages.length > 2 && pruned && last && last.accuracy > pruned.accuracy
  return {
    id: 'rebirth',
    title: 'Rebirth',
    text: gained
      ? `Retrained at a small learning rate, the pruned network goes from ${percent(pruned.accuracy)} to ${percent(last.accuracy)}. Does it still see the same things?`
      : 'Does the smaller network still see the same things?',
    body: markup`${
      embeddings &&
      embeddings.maps.length > 0 &&
      markup`<h3>What the last layer sees</h3><p class="soft">${capital(
        embeddings.of ?? 'the values before the last layer',
      )}, laid out in the plane so that inputs the network finds alike lie together. ${embeddings.method}.</p>${embeddingMaps(embeddings)}`
    }${
      confusion &&
      confusion.length > 0 &&
      beside(
        markup`<h3>What is taken for what</h3><p class="soft">Rows are the truth, columns the answer. On the diagonal the network is right; off it lie the mistakes, the deeper in colour the more often they were made. At the right, the share of each class that was recognized.</p>`,
        confusionTabs(confusion),
      )
    }${changed && changed.images.length > 0 && changedPart(data)}`,
  }
}

const changedPart = ({ changed, stages }: ReportData): Markup => {
  const [before, after] = changed!.between ?? [stages[0]?.name ?? 'before', stages.at(-1)?.name ?? 'after']
  const right = changed!.images.filter(({ label, after }) => after === label).length
  const broken = changed!.images.filter(({ label, before }) => before === label).length
  const other = changed!.images.length - right - broken
  return markup`<h3>Which answers changed</h3><p class="soft">From ${before} to ${after}, ${changed!.images.length} inputs got another answer: ${right} corrected, ${broken} broken${other > 0 && `, ${other} wrong before and after`}.</p>${changedGroups(changed!)}`
}

const repeat: Chapter = ({ rounds, roundsNote }) => {
  if (!rounds || rounds.length < 2) return undefined
  const chosen = rounds.find((round) => round.chosen)
  const best = rounds.reduce((a, b) => (b.accuracy > a.accuracy ? b : a))
  return {
    id: 'repeat',
    title: 'Repeat',
    text: `Prune, retrain, and again: how small can the file get before accuracy gives way? ${
      chosen && chosen !== best
        ? `The one kept, ${chosen.label}, is ${points(best.accuracy - chosen.accuracy).slice(1)} points below the most accurate.`
        : ''
    } Up and to the left is better. ${roundsNote ?? ''}`,
    body: figure('Accuracy against file size', paretoChart(rounds)),
    beside: true,
  }
}

const measured: Chapter = ({ series }) =>
  series?.some((plot) => plot.series.some((line) => line.points.length > 1))
    ? {
        id: 'series',
        title: 'Along the way',
        text: 'What else was measured while training.',
        body: seriesPlots(series),
      }
    : undefined

const made: Chapter = ({ made }) =>
  made && {
    id: 'made',
    title: 'How this was made',
    text: made.command ? 'The same command and seed give the same figures.' : undefined,
    body: provenance(made),
  }

const provenance = ({ command, seed, date, seconds: took, settings, versions }: Provenance): Markup => {
  const entries: (readonly [string, string])[] = [
    ...(seed === undefined ? [] : [['seed', String(seed)] as const]),
    ...Object.entries(settings ?? {}).map(([name, value]) => [name, String(value)] as const),
    ...(took === undefined ? [] : [['time in all', seconds(took)] as const]),
    ...(date === undefined ? [] : [['made on', date] as const]),
    ...Object.entries(versions ?? {}),
  ]
  // A flag and its value keep together where a line ends.
  const words = command?.split(/ (?=--)/).map((word) => markup`<span>${word}</span> `)
  return markup`${words && markup`<pre>${words}</pre>`}<dl>${entries.map(
    ([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>`
}

const chapters: readonly Chapter[] = [train, look, prune, follow, coupled, compare, rebirth, repeat, measured, made]
