import { int64 } from '../../../base/index.ts'
import type { Model } from '../../../onnx/index.ts'
import { Net } from '../networks.ts'

export type Step = (net: Net, x: string) => string
/** A network, and whether the units of its first layer go. */
export type Case = readonly [name: string, model: () => Model, expected: 'goes' | 'on request' | RegExp]

/** Eight channels of 6×6, a step, and a dense layer that reads all `size` numbers of what it makes. */
export const images =
  (size: number, step: Step, opset = 17) =>
  () => {
    const net = new Net([3, 6, 6])
    return net.model(net.dense(net.flatten(step(net, net.conv('x', 'one', [8, 3, 3]))), 'out', [3, size]), opset)
  }

/** Five rows of eight features, a step, and a product that reads rows of `size`. */
export const rows =
  (size: number, step: Step, opset = 17) =>
  () => {
    const net = new Net([5, 6])
    const y = step(net, net.b.op('MatMul', ['x', net.weight('one', [6, 8])]))
    return net.model(net.b.op('MatMul', [y, net.weight('out', [size, 3])]), opset)
  }

export const op =
  (opType: string, attributes = {}, ...more: (number[] | number)[]): Step =>
  (net, x) =>
    net.b.op(opType, [x, ...more.map((n) => (typeof n === 'number' ? net.b.scalar(n) : net.b.ints(n)))], attributes)

export const shapeOf = (net: Net, x: string, axis: number) =>
  net.b.op('Unsqueeze', [
    net.b.op('Gather', [net.b.op('Shape', [x]), net.b.constant(int64([], [axis]))]),
    net.b.ints([0]),
  ])

export const onData = (net: Net) =>
  net.b.op('Greater', [net.b.op('ReduceMax', ['x'], { keepdims: 0 }), net.b.scalar(0)])

/** An operator of x and vectors over its channels. */
export const vectors =
  (opType: string, names: readonly string[], attributes = {}): Step =>
  (net, x) =>
    net.b.op(opType, [x, ...names.map((name) => net.weight(name, [8], name === 'var'))], attributes)
