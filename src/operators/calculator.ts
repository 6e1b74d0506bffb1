import { type DataType, dataTypes } from '../base/index.ts'
import { scalarLike } from './helpers.ts'
import type { Emitter } from './types.ts'

/** A value by name, or a number that becomes a scalar constant. */
export type Term = string | number

/** Arithmetic a rule can write in one line: each function emits a node and returns its output's name. */
export type Calculator = ReturnType<typeof calculator>

/** @param like one of the node's own values: numbers become constants of its element type */
export const calculator = (g: Emitter, like: string) => {
  const name = (term: Term) => (typeof term === 'number' ? scalarLike(g, like, term) : term)
  const binary = (op: string) => (x: Term, y: Term) => g.b.op(op, [name(x), name(y)])
  const unary = (op: string) => (x: Term) => g.b.op(op, [name(x)])
  return {
    add: binary('Add'),
    sub: binary('Sub'),
    mul: binary('Mul'),
    div: binary('Div'),
    pow: binary('Pow'),
    min: binary('Min'),
    max: binary('Max'),
    greater: binary('Greater'),
    less: binary('Less'),
    equal: binary('Equal'),
    and: binary('And'),
    or: binary('Or'),
    neg: unary('Neg'),
    abs: unary('Abs'),
    exp: unary('Exp'),
    log: unary('Log'),
    sqrt: unary('Sqrt'),
    square: (x: string) => g.b.op('Mul', [x, x]),
    reciprocal: unary('Reciprocal'),
    sign: unary('Sign'),
    floor: unary('Floor'),
    sin: unary('Sin'),
    cos: unary('Cos'),
    tanh: unary('Tanh'),
    sinh: unary('Sinh'),
    cosh: unary('Cosh'),
    sigmoid: unary('Sigmoid'),
    softplus: unary('Softplus'),
    erf: unary('Erf'),
    not: unary('Not'),
    where: (condition: string, x: Term, y: Term) => g.b.op('Where', [condition, name(x), name(y)]),
    /** 1 where a condition holds, else 0. */
    indicator: (condition: string) => cast(g, condition, g.type(like)),
    /**
     * 1 where x > 0, else 0, for x of a ReLU, which has no negative numbers. The slope of HardSigmoid, min(max(αx, 0), 1),
     * lifts the smallest normal number above 1: one pass over x in the engine's single-precision kernel, two by casts.
     */
    positive: (x: string) =>
      g.type(like) === 'float32'
        ? g.b.op('HardSigmoid', [x], { alpha: { type: 'FLOAT', value: 3e38 }, beta: { type: 'FLOAT', value: 0 } })
        : cast(g, cast(g, x, 'bool'), g.type(like)),
    /** 1 where x ≠ 0, else 0. Two casts run three times as fast as Sign in ONNX Runtime. */
    nonzero: (x: string) => cast(g, cast(g, x, 'bool'), g.type(like)),
  }
}

export const cast = (g: Emitter, x: string, type: DataType): string => g.b.op('Cast', [x], { to: dataTypes[type].onnx })
