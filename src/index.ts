/**
 * Espalier trains, prunes and retrains neural networks that are ONNX files. Everything here runs in Node and in browsers;
 * each namespace is also a module of its own (`espalier/prune`), and what needs Node's files or threads lies in
 * `espalier/onnx/file`, `espalier/formats/node`, `espalier/data/node`, `espalier/runtime/node` and `espalier/train/node`.
 */
export * as autodiff from './autodiff/index.ts'
export * from './base/index.ts'
export * as data from './data/index.ts'
export * as formats from './formats/index.ts'
export * as nn from './nn/index.ts'
export * as onnx from './onnx/index.ts'
export * as operators from './operators/index.ts'
export * as optim from './optim/index.ts'
export * as prune from './prune/index.ts'
export * as report from './report/index.ts'
export * as runtime from './runtime/index.ts'
export * as train from './train/index.ts'
