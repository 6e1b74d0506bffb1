import type { Command } from '../command.ts'
import { analyze } from './analyze.ts'
import { bench } from './bench.ts'
import { compare } from './compare.ts'
import { demo } from './demo.ts'
import { inspect } from './inspect.ts'
import { parity } from './parity.ts'
import { prune } from './prune.ts'
import { train } from './train.ts'
import { verify } from './verify.ts'

/** The commands, in the order the help lists them. */
export const commands: readonly Command[] = [demo, inspect, train, analyze, prune, verify, compare, parity, bench]
