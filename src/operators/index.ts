import type { Node } from '../onnx/index.ts'
import { activations } from './activations.ts'
import { concats } from './concat.ts'
import { conv } from './conv.ts'
import { depth } from './depth.ts'
import { determinant } from './determinant.ts'
import { elementwise } from './elementwise.ts'
import { fourier } from './fourier.ts'
import { fusedRows } from './fused/rows.ts'
import { gather } from './gather.ts'
import { gridSample } from './gridsample.ts'
import { images } from './images.ts'
import { integer } from './integer.ts'
import { made } from './made.ts'
import { matmul } from './matmul.ts'
import { normalization } from './normalization.ts'
import { pads } from './pad.ts'
import { pooling } from './pooling.ts'
import { quantize } from './quantize.ts'
import { recurrent } from './recurrent.ts'
import { reduce } from './reduce.ts'
import { regions } from './regions.ts'
import { reshape } from './reshape.ts'
import { resize } from './resize.ts'
import { scatter } from './scatter.ts'
import { select } from './select.ts'
import { shape } from './shape.ts'
import { slices } from './slice.ts'
import { softmaxes } from './softmax.ts'
import type { Operator } from './types.ts'
import { functions } from './unary.ts'
import { unpool } from './unpool.ts'

export { withoutRow } from './catalogue.ts'
export { loweringOf, lowerings } from './fused/index.ts'
export { fusedRows } from './fused/rows.ts'
export * from './signs/index.ts'
export { type Treatment, treatmentOf } from './treatment.ts'
export * from './types.ts'

/** The operators' table: all this project knows about ONNX's operators, a row each. */
export const operators = {
  ...conv,
  ...matmul,
  ...normalization,
  ...pooling,
  ...activations,
  ...elementwise,
  ...functions,
  ...gridSample,
  ...regions,
  ...concats,
  ...depth,
  ...determinant,
  ...fourier,
  ...gather,
  ...images,
  ...integer,
  ...recurrent,
  ...quantize,
  ...reduce,
  ...reshape,
  ...resize,
  ...made,
  ...pads,
  ...scatter,
  ...select,
  ...shape,
  ...slices,
  ...softmaxes,
  ...unpool,
} satisfies Record<string, Operator>

/** The operators that have a row. */
export type OperatorName = keyof typeof operators

const table: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ...Object.entries(operators).map(([name, row]) => [` ${name}`, row] as const),
  ...Object.entries(fusedRows).flatMap(([domain, rows]) =>
    Object.entries<Operator>(rows).map(([name, row]) => [`${domain} ${name}`, row] as const),
  ),
])

/** The row of a node's operator; undefined for one this project does not know. */
export const operatorOf = ({ domain, opType }: Node): Operator | undefined =>
  table.get(`${domain === 'ai.onnx' ? '' : domain} ${opType}`)
