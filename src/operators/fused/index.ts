import type { Node } from '../../onnx/index.ts'
import type { Lowering } from '../types.ts'
import { fusedActivations } from './activation.ts'
import { attentions } from './attention.ts'
import { deformConv } from './deform.ts'
import { embedded } from './embedding.ts'
import { fusedNormalizations } from './normalization.ts'
import { fusedProducts } from './product.ts'

/**
 * Operators written in plainer ones before anything is differentiated: those ONNX Runtime's optimizer and exporters fuse
 * (domain com.microsoft), and the few of ONNX's own that are made of others. By domain, then name.
 */
export const lowerings = {
  '': { ...deformConv, ...fusedNormalizations.plain },
  'com.microsoft': {
    ...attentions,
    ...embedded,
    ...fusedActivations,
    ...fusedNormalizations.skipping,
    ...fusedProducts,
  },
} satisfies Record<string, Record<string, Lowering>>

const table: ReadonlyMap<string, Lowering> = new Map(
  Object.entries(lowerings).flatMap(([domain, names]) =>
    Object.entries<Lowering>(names).map(([name, lowering]) => [`${domain} ${name}`, lowering] as const),
  ),
)

/** How a node is written in plainer operators; undefined for one that is plain, or unknown. */
export const loweringOf = ({ domain, opType }: Node): Lowering | undefined =>
  table.get(`${domain === 'ai.onnx' ? '' : domain} ${opType}`)
