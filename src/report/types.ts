/**
 * All that a report shows, as plain data that survives `JSON.stringify`. Only `title`, `model` and `stages` are needed:
 * a section whose data is missing is left out. Accuracies are shares from 0 to 1; sizes are bytes; times milliseconds
 * unless a name says otherwise. Numbers that are not finite (a loss that overflowed) are skipped.
 */
export type ReportData = {
  readonly title: string
  /** What was pruned, as a reader names it: `'seed-cnn'`, `'model.onnx'`. */
  readonly model: string
  /** On what it was measured: `'MNIST, 10 000 test images'`. */
  readonly dataset?: string
  readonly optimizer?: string
  /** The page's first sentence and what stands below it, in place of a comparison of the stages. */
  readonly headline?: { readonly text: string; readonly lead: string; readonly figures: readonly Figure[] }
  /** How importance was measured, in words: `'sum of absolute weights (L1)'`. */
  readonly criterion?: string
  /** In the order they came to be; the first is the original, the last the result. */
  readonly stages: readonly Stage[]
  /** What the stages' latencies are the time for: `'32 images'`; default `'one answer'`. */
  readonly latencyOf?: string
  readonly curve?: readonly CurvePoint[]
  readonly marks?: readonly Mark[]
  /** What the loss is, as its axis names it; default `'cross-entropy'`. */
  readonly lossName?: string
  /** Said below the curves: what a loss is made of, where its meaning changes, on what an accuracy was measured. */
  readonly curveNotes?: { readonly loss?: string; readonly accuracy?: string }
  readonly kernels?: KernelPictures
  readonly layers?: readonly LayerScores[]
  readonly network?: NetworkDrawing
  /** What lives and dies together, as pruning found it. */
  readonly groups?: readonly GroupPicture[]
  readonly rounds?: readonly Round[]
  /** On what the rounds' accuracies were measured, and what was done with the one kept, in whole sentences. */
  readonly roundsNote?: string
  readonly embeddings?: Embeddings
  /** Confusion matrices of the first and the last stage, or of as many as wanted. */
  readonly confusion?: readonly Confusion[]
  readonly changed?: ChangedAnswers
  /** Further curves: schedules, telemetry of an optimizer, gradient norms. Shown in the order given. */
  readonly series?: readonly SeriesPlot[]
  readonly made?: Provenance
}

/** A figure in large type: `{ what: 'Steps', value: '240', note: '0.2 passes' }`. */
export type Figure = { readonly what: string; readonly value: string; readonly note?: string }

/** One state of the network: original, pruned, retrained. */
export type Stage = {
  readonly name: string
  readonly accuracy: number
  readonly loss?: number
  readonly bytes: number
  readonly parameters: number
  /** Multiply–accumulates for one input. */
  readonly macs: number
  /** Median of one run, which answers what `latencyOf` names. */
  readonly latencyMs?: number
  /** 10th and 90th percentile. */
  readonly latencyRange?: readonly [number, number]
  /** File name, shown in the table. */
  readonly file?: string
}

/** One measurement while training; `step` counts on through pruning and retraining. */
export type CurvePoint = {
  readonly step: number
  readonly epoch?: number
  /** On the training batch. */
  readonly loss?: number
  readonly accuracy?: number
  readonly validationLoss?: number
  readonly validationAccuracy?: number
  readonly testLoss?: number
  readonly testAccuracy?: number
}

/** A moment worth a labelled line: `{ step: 3600, label: 'prune 50 %' }`. */
export type Mark = { readonly step: number; readonly label: string }

/** Kernels of the first layer, drawn as pictures. */
export type KernelPictures = {
  readonly layer: string
  /** Input channels, height and width of one kernel. With more than one channel their mean is drawn. */
  readonly channels: number
  readonly height: number
  readonly width: number
  /** One per kernel: channels × height × width weights. */
  readonly weights: readonly (readonly number[])[]
  /** Whether the kernel stayed. */
  readonly kept: readonly boolean[]
  readonly scores?: readonly number[]
}

/** The importance of every kernel (unit) of one layer. */
export type LayerScores = {
  readonly name: string
  /** By kernel index, in any order of size. */
  readonly scores: readonly number[]
  readonly kept: readonly boolean[]
  /** The score at the cut; worked out from `kept` when left out. */
  readonly threshold?: number
  /** Axis label, default `'importance'`. */
  readonly criterion?: string
}

/** A group of units that live and die together. */
export type GroupPicture = {
  readonly name: string
  /** Number of units, and how many stay; default all. */
  readonly size: number
  readonly kept?: number
  /** Why removing units is not the same as masking them; absent for exact groups. */
  readonly approximate?: string
  readonly members: readonly GroupMember[]
}

/** An axis of a weight that loses an index when a unit goes: of a layer that makes units, carries them along or reads them. */
export type GroupMember = {
  readonly initializer: string
  readonly axis: number
  readonly role: 'produces' | 'follows' | 'consumes'
  readonly node: string
  readonly operator: string
}

/** The network as a chain or graph of layers, drawn top to bottom in the order given. */
export type NetworkDrawing = {
  readonly layers: readonly NetworkLayer[]
  /** Arrows by position in `layers`; default: each to the next. Others than those are drawn as arcs. */
  readonly edges?: readonly { readonly from: number; readonly to: number }[]
}

export type NetworkLayer = {
  readonly name: string
  /** `'Conv 5×5'`, `'Gemm'`, `'input'`. */
  readonly kind: string
  /** Width before pruning: channels or features. */
  readonly channels: number
  /** Width after; default the same. */
  readonly kept?: number
  /** Spatial size of its output: `[28, 28]`. */
  readonly size?: readonly number[]
  /** Layers with the same group are coupled: their channels live and die together. */
  readonly group?: string
  /** Why it cannot be pruned, when it cannot. */
  readonly frozen?: string
  readonly note?: string
}

/** One round of prune and retrain, or one ratio tried. */
export type Round = {
  readonly label: string
  readonly bytes: number
  readonly accuracy: number
  /** Accuracy straight after pruning, before retraining. */
  readonly prunedAccuracy?: number
  /** The one that was kept. */
  readonly chosen?: boolean
}

/** The same points of the same inputs on several maps. */
export type Embeddings = {
  /** `'t-SNE, perplexity 30, PCA start'`. */
  readonly method: string
  /** What was embedded: `'1568 values before the last layer'`. */
  readonly of?: string
  readonly classes: readonly string[]
  /** Class of each point, an index into `classes`. */
  readonly labels: readonly number[]
  readonly maps: readonly {
    readonly title: string
    readonly x: readonly number[]
    readonly y: readonly number[]
    /** The network's answer for each point, an index into `classes`. */
    readonly answers?: readonly number[]
  }[]
  /** The input of each point, shown on hover. */
  readonly pictures?: readonly GreyPicture[]
}

/** Greys 0 (black) to 255 (white), row by row. */
export type GreyPicture = { readonly width: number; readonly height: number; readonly pixels: readonly number[] }

export type Confusion = {
  readonly title: string
  readonly classes: readonly string[]
  /** `counts[true][answered]`. */
  readonly counts: readonly (readonly number[])[]
}

export type ChangedAnswers = {
  readonly classes: readonly string[]
  /** Names of the two states compared; default the first and last stage's. */
  readonly between?: readonly [string, string]
  readonly images: readonly {
    readonly picture: GreyPicture
    readonly label: number
    readonly before: number
    readonly after: number
    /** Position in the data set. */
    readonly index?: number
  }[]
}

/** A plot of one or more curves over steps. */
export type SeriesPlot = {
  readonly title: string
  readonly x?: string
  readonly y: string
  readonly log?: boolean
  readonly note?: string
  readonly series: readonly {
    readonly name: string
    readonly points: readonly (readonly [number, number])[]
  }[]
}

/** How the page was made, so that another person can make it again. */
export type Provenance = {
  readonly command?: string
  readonly seed?: number
  /** ISO 8601. */
  readonly date?: string
  readonly seconds?: number
  /** Runs, threads and processor of the latency figures, without a full stop. */
  readonly latencyNote?: string
  readonly settings?: { readonly [name: string]: string | number | boolean }
  readonly versions?: { readonly [name: string]: string }
}
