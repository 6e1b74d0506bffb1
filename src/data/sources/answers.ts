import { FormatError, numbersOf, sizeOf, type Tensor } from '../../base/index.ts'

/**
 * What the y of a file is: class numbers, numbers to be met whatever they are, or `either`: classes where there is one
 * whole number for each sample, else numbers.
 */
export type AnswerKind = 'classes' | 'numbers' | 'either'

export type Answers =
  | { readonly labels: number[]; readonly labelDims?: readonly number[] }
  | { readonly targets: number[]; readonly targetDims: readonly number[] }

export type AnswerOptions = {
  readonly answers?: AnswerKind | undefined
  /** The shape the model's answer to one sample has. */
  readonly answerDims?: readonly number[] | undefined
  readonly ignore?: number | undefined
}

/** The labels or numbers in an array [samples, ...]. `x` are the samples they belong to. */
export const answersIn = (y: Tensor, x: Tensor, file: string, options: AnswerOptions): Answers => {
  const { answers = 'classes', ignore } = options
  if (answers === 'classes') return labelsOf(y, x, file)
  if (y.strings)
    throw new FormatError('the answers are texts and the loss compares numbers', {
      place: { file },
      remedy: 'give numbers, or use --loss cross-entropy',
    })
  const values = numbersOf(y)
  const single = sizeOf(y.dims) === (y.dims[0] ?? 0)
  const classes = single && values.every((value) => value === ignore || (Number.isInteger(value) && value >= 0))
  if (answers === 'either' && classes) return { labels: values }
  return { targets: values, targetDims: shapeOf(y, file, options) }
}

/** The shape of one sample's numbers, as the model gives them where it says so and they are as many. */
const shapeOf = ({ dims: [, ...dims] }: Tensor, file: string, { answerDims }: AnswerOptions): readonly number[] => {
  const own = dims.length === 0 ? [1] : dims
  if (answerDims === undefined) return own
  if (sizeOf(answerDims) !== sizeOf(own))
    throw new FormatError(
      `there ${sizeOf(own) === 1 ? 'is one number' : `are numbers of shape [${own.join(', ')}]`} for each sample and the model gives [${answerDims.join(', ')}]`,
      { place: { file }, remedy: 'give the numbers that the model is to give, or another last layer (--new-head)' },
    )
  return answerDims
}

/** The class numbers of an array [n] or [n, 1], or of [n, H, W] where each pixel of a picture has one. */
const labelsOf = (y: Tensor, x: Tensor, file: string): { labels: number[]; labelDims?: number[] } => {
  if (sizeOf(y.dims) === (y.dims[0] ?? 0)) return { labels: numbersOf(y) }
  const [, ...dims] = y.dims
  const places = x.dims.slice(1)
  const perPixel =
    dims.length >= 2 && [places.slice(-dims.length), places.slice(0, dims.length)].some((of) => `${of}` === `${dims}`)
  if (!perPixel)
    throw new FormatError(`labels of shape [${y.dims.join(', ')}] are not one number for each sample`, {
      place: { file },
      remedy:
        'give class numbers of the shape [samples], or [samples, height, width] for a class of each pixel; numbers to be met go with --loss mse, huber or bce',
    })
  return { labels: numbersOf(y), labelDims: dims }
}
