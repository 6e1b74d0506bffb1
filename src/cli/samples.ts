import { UsageError } from '../base/index.ts'
import {
  type Dataset,
  type Layout,
  type Normalise,
  type Preprocessing,
  preprocessingOf,
  statedClasses,
  statedPreprocessing,
  statedSampling,
  statistics,
  withNormalise,
} from '../data/index.ts'
import { type LoadOptions, loadDataset, type Splits } from '../data/node.ts'
import type { Model } from '../onnx/index.ts'
import type { Effect } from './effects.ts'
import { answersFor } from './losses.ts'
import { answerDimsOf, sampleDimsOf } from './models.ts'
import { limits, type Options, type Parsed } from './options.ts'

/** Flags that say how samples become a network's input; what a model's file states of it holds unless they say otherwise. */
export const sampleOptions = {
  size: {
    kind: 'text',
    value: 'HxW',
    help: 'size pictures are brought to (the model’s); vary or vary:N keeps sizes, N a multiple',
    check: (text: string) => sizeFrom(text),
  },
  fit: { kind: 'choice', among: ['cover', 'stretch'], help: 'keep proportions and cut, or give them up (cover)' },
  crop: {
    kind: 'number',
    value: 'X',
    help: 'share of each side kept around the centre (1); 0.875 is 224 of 256',
    above: 0,
    max: 1,
  },
  channels: { kind: 'choice', among: ['grey', 'rgb', 'bgr'], help: 'colours and their order (the model’s, rgb)' },
  layout: { kind: 'choice', among: ['nchw', 'nhwc'], help: 'where the channels stand (as the model’s input shows)' },
  range: { kind: 'choice', among: ['0..1', '0..255', '-1..1'], help: 'range of values before --mean and --std (0..1)' },
  mean: {
    kind: 'text',
    value: 'A,B,C',
    help: 'subtracted from each channel: numbers, imagenet, or data for the samples’ own',
    check: (text: string) => channelsFrom('mean', text),
  },
  std: {
    kind: 'text',
    value: 'A,B,C',
    help: 'each channel is divided by it: numbers, imagenet or data',
    check: (text: string) => channelsFrom('std', text),
  },
  'split-seed': {
    kind: 'number',
    value: 'N',
    help: 'which samples are set aside for testing where the data has none for it (as the model’s run did, else --seed)',
    min: 0,
    max: limits.seed,
    whole: true,
  },
} as const satisfies Options

/** Which of them are about pictures alone. */
export const sampleEffects: readonly Effect<keyof typeof sampleOptions>[] = [
  { flags: ['size', 'fit', 'crop', 'channels'], with: ['data=images:'] },
]

export type SampleValues = Partial<Parsed<typeof sampleOptions>>

export type LoadedSamples = Splits & {
  readonly preprocessing: Preprocessing
  /** The seed of the samples set aside for testing. */
  readonly splitSeed: number
}

export type SampleRequest = {
  readonly seed?: number
  readonly values?: SampleValues
  /** How many classes there are, where the source does not tell. */
  readonly classes?: number | undefined
  readonly ignore?: number | undefined
  /** What the samples are to train; the loss that the model's file states unless said. */
  readonly loss?: string | undefined
  readonly taught?: boolean
  /** The model's own names of classes do not hold: it gets a new head. */
  readonly renamed?: boolean
}

/**
 * The samples that `spec` names as a model takes them: by the flags, else by what its file states, else by its input's shape.
 * @throws UsageError for flags that do not fit the model
 */
export const samplesFor = async (model: Model, spec: string, request: SampleRequest = {}): Promise<LoadedSamples> => {
  const { values = {}, seed = 0, classes, ignore, renamed = false } = request
  const stated = statedPreprocessing(model)
  const sampling = statedSampling(model)
  const splitSeed = values['split-seed'] ?? sampling.splitSeed ?? seed
  const loss = request.loss ?? sampling.loss ?? 'cross-entropy'
  const input = inputShape(model, values.layout ?? stated?.layout)
  const asked = sizeFrom(values.size)
  const own =
    input.height !== undefined && input.width !== undefined ? ([input.height, input.width] as const) : undefined
  checkSize(values.size, asked, own)
  const channels = values.channels === undefined ? undefined : values.channels === 'grey' ? 1 : 3
  checkChannels(channels, input.channels)
  const pictures = {
    ...(asked ?? (stated ? sizeOfStated(stated) : { size: own })),
    fit: values.fit === undefined ? stated?.fit : fitFrom(values.fit),
    crop: values.crop ?? stated?.crop,
    channels: channels ?? stated?.channels ?? pictureChannels(input.channels),
    order:
      values.channels === undefined ? stated?.order : values.channels === 'bgr' ? ('bgr' as const) : ('rgb' as const),
  }
  const normalise = normaliseFrom(values, stated?.normalise)
  const options: LoadOptions = {
    ...pictures,
    layout: input.layout,
    seed: splitSeed,
    normalise,
    ignore,
    answers: answersFor(loss, model, { classes, taught: request.taught }),
    answerDims: renamed ? undefined : answerDimsOf(model),
    classes: classes ?? (renamed || !spec.startsWith('images:') ? undefined : statedClasses(model)),
    sampleDims: pictures.multiple === undefined ? sampleDimsOf(model) : undefined,
  }
  const splits = withStatistics(await loadDataset(spec, options), values)
  const isPictures = spec.startsWith('images:')
  const { fit = 'cover', crop = 1, order = 'rgb' } = pictures
  return {
    ...splits,
    splitSeed,
    preprocessing: preprocessingOf(splits.train, {
      ...(isPictures && { fit, crop, order }),
      ...(isPictures && pictures.size && { size: pictures.size }),
      ...(isPictures && pictures.multiple !== undefined && { multiple: pictures.multiple }),
      ...(isPictures && pictures.channels && { channels: pictures.channels }),
    }),
  }
}

type InputShape = { layout: Layout; channels?: number; height?: number; width?: number }

/** What the shape of a model's input says of pictures. */
const inputShape = ({ graph }: Model, wanted: string | undefined): InputShape => {
  const dims = graph.inputs.find(({ name }) => !graph.initializers.has(name))?.dims ?? []
  const [, a, b, c] = dims
  const few = (dim: unknown) => dim === 1 || dim === 3
  const last =
    wanted === undefined ? dims.length === 4 && few(c) && !few(a) : wanted === 'nhwc' || wanted === 'channels-last'
  const known = (key: 'channels' | 'height' | 'width', dim: unknown) => (typeof dim === 'number' ? { [key]: dim } : {})
  const layout = last ? 'channels-last' : 'channels-first'
  if (dims.length !== 4) return { layout }
  const [channels, height, width] = last ? [c, a, b] : [a, b, c]
  return { layout, ...known('channels', channels), ...known('height', height), ...known('width', width) }
}

/** A side that the model's file fixes cannot be another. */
const checkSize = (
  flag: string | undefined,
  asked: { size?: readonly [number, number]; multiple?: number } | undefined,
  own: readonly [number, number] | undefined,
) => {
  if (!asked || !own || asked.size?.every((side, axis) => side === own[axis])) return
  throw new UsageError(`--size ${flag}: the model takes pictures of ${own.join(' × ')} alone`, {
    remedy: `leave --size away, or export the model with free sides (PyTorch's dynamic_axes)`,
  })
}

const checkChannels = (asked: number | undefined, takes: number | undefined) => {
  if (asked !== undefined && takes !== undefined && asked !== takes)
    throw new UsageError(`the model takes pictures of ${takes} channels, not ${asked}`, {
      remedy: takes === 1 ? 'use --channels grey' : takes === 3 ? 'use --channels rgb or bgr' : 'use another model',
    })
}

const pictureChannels = (channels: number | undefined) => (channels === 1 || channels === 3 ? channels : undefined)

const sizeOfStated = ({ size, multiple }: Preprocessing) => (multiple === undefined ? { size } : { multiple })

const fitFrom = (text: string) => (text === 'stretch' ? 'stretch' : 'cover')

/** '224', '224x192', 'vary' or 'vary:32'. */
const sizeFrom = (text: string | undefined): { size?: readonly [number, number]; multiple?: number } | undefined => {
  if (text === undefined) return undefined
  const [, height, width] = /^(\d+)(?:[x×](\d+))?$/.exec(text) ?? []
  if (height !== undefined) return { size: [Number(height), Number(width ?? height)] }
  const [whole, multiple = '1'] = /^vary(?::(\d+))?$/.exec(text) ?? []
  if (whole !== undefined && Number(multiple) > 0) return { multiple: Number(multiple) }
  throw new UsageError(`--size ${text} makes no sense`, {
    remedy: 'give 224, 224x192 (height x width), vary or vary:32',
  })
}

const imagenet: { readonly [flag: string]: readonly number[] } = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
}

const normaliseFrom = (values: SampleValues, stated: Normalise | undefined): Partial<Normalise> | undefined => {
  const ranged =
    values.range === undefined
      ? (stated ?? {})
      : { scale: values.range === '0..255' ? 1 : 1 / 255, ...(values.range === '-1..1' && { mean: [0.5], std: [0.5] }) }
  const mean = channelsFrom('mean', values.mean)
  const std = channelsFrom('std', values.std)
  const found = { ...ranged, ...(mean && { mean }), ...(std && { std }) }
  return Object.keys(found).length > 0 ? found : undefined
}

const channelsFrom = (flag: 'mean' | 'std', text: string | undefined): readonly number[] | undefined => {
  if (text === undefined || text === 'data') return undefined
  if (text === 'imagenet') return imagenet[flag]!
  const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if (!numbers.every(Number.isFinite) || (flag === 'std' && numbers.some((value) => value <= 0)))
    throw new UsageError(`--${flag} ${text} makes no sense`, {
      remedy: 'give a number, one for each channel with commas between, imagenet or data',
    })
  return numbers
}

/** `data` stands for the training samples' own mean and spread. */
const withStatistics = (splits: Splits, { mean, std }: SampleValues): Splits => {
  if (mean !== 'data' && std !== 'data') return splits
  const found = statistics(splits.train)
  const own = { ...(mean === 'data' && { mean: found.mean }), ...(std === 'data' && { std: found.std }) }
  const changed = (data: Dataset) => withNormalise(data, own)
  return {
    train: changed(splits.train),
    test: changed(splits.test),
    ...(splits.validation && { validation: changed(splits.validation) }),
  }
}
