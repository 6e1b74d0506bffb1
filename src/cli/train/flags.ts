import { headOptions } from '../heads.ts'
import type { Options, Parsed } from '../options.ts'
import { trainingOptions } from '../runs.ts'
import { sampleOptions } from '../samples.ts'

/** Flags of `train`. */
export const trainOptions = {
  data: { kind: 'text', value: 'SPEC', help: 'mnist, idx:DIR, images:DIR, npz:FILE, safetensors:FILE or csv:FILE' },
  out: { kind: 'text', value: 'DIR', help: 'folder for model.onnx, report.html, metrics.jsonl and checkpoints' },
  epochs: { kind: 'number', value: 'N', help: 'passes over the data', default: 1, min: 0 },
  ...trainingOptions,
  ...headOptions,
  ...sampleOptions,
  resume: { kind: 'flag', help: 'goes on from the checkpoint in --out, to the same weights as an unbroken run' },
  'evaluate-every': {
    kind: 'number',
    value: 'N',
    help: 'steps between evaluations',
    default: 50,
    min: 0,
    whole: true,
  },
  'evaluate-samples': {
    kind: 'number',
    value: 'N',
    help: 'test samples used for those',
    default: 2000,
    min: 1,
    whole: true,
  },
  'checkpoint-every': {
    kind: 'number',
    value: 'N',
    help: 'steps between checkpoints (an epoch)',
    min: 1,
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
    whole: true,
  },
} as const satisfies Options

export type TrainValues = Parsed<typeof trainOptions>
