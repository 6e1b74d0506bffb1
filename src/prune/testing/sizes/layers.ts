import type { SizeNet } from './net.ts'

/** Images of 3 channels, any number and size of them. */
export const picture = ['N', 3, 'H', 'W'] as const

/** A first layer of 8 channels. */
export const stem = (net: SizeNet): string => net.relu(net.conv('x', 'stem', [8, 3, 3]))

/** A layer of 6 channels, and one of 2 that makes the output. */
export const head = (net: SizeNet, x: string, channels: number): string =>
  net.conv(net.relu(net.conv(x, 'head', [6, channels, 3])), 'out', [2, 6, 1])
