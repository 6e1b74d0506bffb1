import { checkSpec } from '../../data/node.ts'
import type { Effect } from '../effects.ts'
import { headOptions } from '../heads.ts'
import { lossEffects } from '../losses.ts'
import { limits, type Options, type Parsed } from '../options.ts'
import { runEffects, runOptions } from '../run-folder.ts'
import { trainingOptions } from '../runs.ts'
import { sampleEffects, sampleOptions } from '../samples.ts'

/** Flags of `train`. */
export const trainOptions = {
  data: {
    kind: 'text',
    value: 'SPEC',
    help: 'mnist, idx:DIR, images:DIR, npz:FILE, safetensors:FILE or csv:FILE',
    check: checkSpec,
  },
  out: { kind: 'text', value: 'DIR', help: 'folder for model.onnx, report.html, metrics.jsonl and checkpoints' },
  epochs: { kind: 'number', value: 'N', help: 'passes over the data', default: 1, above: 0, max: limits.epochs },
  ...trainingOptions,
  ...headOptions,
  ...sampleOptions,
  ...runOptions,
  'evaluate-every': {
    kind: 'number',
    value: 'N',
    help: 'steps between evaluations',
    default: 50,
    min: 0,
    max: limits.count,
    whole: true,
  },
  'evaluate-samples': {
    kind: 'number',
    value: 'N',
    help: 'test samples used for those',
    default: 2000,
    min: 1,
    max: limits.count,
    whole: true,
  },
  'find-lr': {
    kind: 'flag',
    help: 'tries rising learning rates on a few batches and suggests one; trains nothing, and needs no --out',
  },
  recalibrate: {
    kind: 'flag',
    help: 'measures the statistics of BatchNormalization anew at the end, for averaged weights',
  },
  'telemetry-every': {
    kind: 'number',
    value: 'N',
    help: "steps between lines on what the optimizer's links do, in metrics.jsonl; 0 for none",
    default: 50,
    min: 0,
    max: limits.count,
    whole: true,
  },
} as const satisfies Options

export type TrainValues = Parsed<typeof trainOptions>

export const trainEffects: readonly Effect<keyof typeof trainOptions>[] = [
  // The range test has rates and an end of its own, and evaluates and saves nothing.
  {
    flags: [
      ...([
        'lr',
        'schedule',
        'epochs',
        'recalibrate',
        'resume',
        'overwrite',
        'checkpoint-every',
        'telemetry-every',
      ] as const),
      ...(['evaluate-every', 'evaluate-samples'] as const),
    ],
    without: ['find-lr'],
  },
  { flags: ['evaluate-samples'], without: ['evaluate-every=0'] },
  ...runEffects,
  ...sampleEffects,
  ...lossEffects,
]
