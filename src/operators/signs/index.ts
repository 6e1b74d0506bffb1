import { own } from '../../base/index.ts'
import type { Node } from '../../onnx/index.ts'
import { combinations } from './combinations.ts'
import { anySign, type SignRule, type SignRules } from './domain.ts'
import { functions } from './functions.ts'
import { fused } from './fused.ts'
import { movers, reductions } from './moves.ts'
import { ofNumbers, quantizedRules } from './quantized.ts'

export {
  anySign,
  negative,
  positive,
  type SignContext,
  type SignRule,
  type Signs,
  signsOf,
  type ZeroPoint,
  zero,
} from './domain.ts'
export { zeroPointOf } from './quantized.ts'

/** Rules that see quantized numbers as what they stand for; all others see the whole numbers. */
const standing: SignRules = { ...movers, ...quantizedRules }

const plain: SignRules = {
  ...Object.fromEntries(
    Object.entries({ ...functions, ...reductions, ...combinations }).map(([name, rule]) => [name, ofNumbers(rule)]),
  ),
  ...standing,
}

/** Operators all of whose outputs are alike; of others, second outputs are masks, statistics and indices. */
const alike = new Set(['Split', 'RNN', 'GRU', 'LSTM'])

/**
 * The signs a node's output may have at a unit, from those of its inputs. Of an operator without a rule here nothing is
 * known but that it gives numbers.
 */
export const signRuleOf = ({ domain, opType }: Node, output = 0): SignRule => {
  const known = domain === '' || domain === 'ai.onnx' ? plain : domain === 'com.microsoft' ? fused : {}
  return (output === 0 || alike.has(opType) ? own(known, opType) : undefined) ?? (() => anySign)
}
