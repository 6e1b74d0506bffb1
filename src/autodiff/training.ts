import { dataTypes, own, sizeOf, type Tensor, type TensorType, UnsupportedError, UsageError } from '../base/index.ts'
import { copyModel, type Graph, GraphBuilder, type Model, opsetOf, removeDead, upgradeOpset } from '../onnx/index.ts'
import { constants, infer, type Runtime } from '../runtime/index.ts'
import { backward } from './backward.ts'
import { evalForm, poolBeforeRelu, trainForm, type Update } from './forms.ts'
import { type Loss, lossNamed, type Targets } from './loss.ts'
import { lower } from './lower/index.ts'
import { recomputeForward } from './recompute/index.ts'
import { checkTrainable, trainableInitializers } from './trainable.ts'

export type TrainingGraphOptions = {
  /** Runs the graph once to learn every shape. */
  readonly runtime: Runtime
  /** The shape of every input for one batch: a training graph is made for fixed shapes. */
  readonly inputs: { readonly [input: string]: readonly number[] }
  /** Cross-entropy unless said. */
  readonly loss?: Loss
  /** The value the loss reads; the graph's first output unless said. */
  readonly output?: string
  /** Initializers to differentiate by; `trainableInitializers` unless said. */
  readonly trainable?: readonly string[]
  /** 'train' uses the batch's statistics in BatchNormalization, 'eval' the running ones. */
  readonly mode?: 'train' | 'eval'
  /** Computes activations a second time on the way back instead of keeping them all; false. */
  readonly recompute?: boolean
}

/** One step's computation as plain ONNX operators: forward, loss and every gradient. */
export type TrainingGraph = {
  readonly model: Model
  /** Inputs of the loss, such as `labels`. */
  readonly targets: Targets
  /** Output holding the scalar loss. */
  readonly loss: string
  /** Output holding what the loss reads: the network's answer. */
  readonly output: string
  readonly outputDims: readonly number[]
  /** Output holding ∂loss/∂parameter, by parameter; the parameters are inputs of the graph under their own names. */
  readonly gradients: ReadonlyMap<string, string>
  /** Running statistics: inputs under their own names too, with the output that replaces them after a step. */
  readonly updates: readonly Update[]
}

/** Opset the training graph is raised to: BatchNormalization's training mode needs 14, the rules are written for 17. */
const trainingOpset = 17

/**
 * Turns an inference graph into a training graph for one batch shape.
 * @throws UnsupportedError when a node between a trainable weight and the loss has no gradient.
 */
export const trainingGraph = async (original: Model, options: TrainingGraphOptions): Promise<TrainingGraph> => {
  const model = upgradeOpset(copyModel(original), trainingOpset)
  const { graph } = model
  const trainable = options.trainable ?? trainableInitializers(graph)
  checkTrainable(graph, trainable)

  fixInputs(model, options.inputs)

  const output = options.output ?? graph.outputs[0]?.name
  if (output === undefined) throw new UsageError('the model has no output to take a loss of')
  const loss = options.loss ?? lossNamed('cross-entropy')
  const read = [...new Set([output, loss.value ?? output])]
  checkMade(graph, read)
  graph.outputs = read.map((name) => ({ name, type: 'float32' }))
  removeDead(graph)
  const feeds = zeros(options.inputs, graph.inputs)
  await lower(model, { runtime: options.runtime, feeds, variables: new Set(trainable) })

  const updates = (options.mode ?? 'train') === 'train' ? trainForm(graph) : []
  if (options.mode === 'eval') evalForm(graph)
  poolBeforeRelu(graph)
  const forward = await infer(options.runtime, model, feeds)
  const outputType = forward.get(output)
  if (!outputType) throw new UsageError(`the model has no value '${output}' to take a loss of`)
  if (loss.value !== undefined) checkScalar(loss.value, forward.get(loss.value))
  const targets = loss.targets(outputType.dims)
  for (const [name, { type, dims }] of Object.entries(targets)) {
    if (takenNames(graph).has(name))
      throw new UsageError(`the model has a value '${name}' already, which the loss needs as an input`, {
        remedy: 'rename it',
      })
    graph.inputs.push({ name, type, dims: [...dims] })
  }
  const named = Object.fromEntries(Object.keys(targets).map((name) => [name, name]))
  const lossValue = loss.build(new GraphBuilder(graph, 'loss'), output, named, outputType.dims)
  graph.outputs.push({ name: lossValue, type: 'float32', dims: [] })

  const zeroTargets = Object.entries(targets).map(([name, type]) => [name, zero(type)])
  const types = await infer(options.runtime, model, { ...feeds, ...Object.fromEntries(zeroTargets) })
  const variables = new Set([...trainable, ...updates.map((update) => update.initializer)])
  const fixed = [...graph.initializers].filter(([name]) => !variables.has(name))
  const computed = await constants(options.runtime, model, { shapes: types, variables })
  const forwardNodes = new Set(graph.nodes)
  const builder = new GraphBuilder(graph, 'gradient')
  const gradients = backward({
    nodes: [...graph.nodes],
    builder,
    opset: opsetOf(model),
    types,
    constants: new Map([...fixed, ...computed]),
    seeds: new Map([[lossValue, builder.scalar(1)]]),
    wanted: new Set(trainable),
  })
  if (gradients.size === 0)
    throw new UnsupportedError('the loss depends on no trainable initializer', {
      remedy: 'check --freeze, --train-only and the output the loss is taken of',
    })

  const moving = updates.filter((update) => graph.initializers.has(update.initializer))
  for (const name of [...gradients.keys(), ...moving.map((update) => update.initializer)]) {
    const { type, dims } = graph.initializers.get(name)!
    graph.initializers.delete(name)
    if (!graph.inputs.some((input) => input.name === name)) graph.inputs.push({ name, type, dims: [...dims] })
  }
  for (const name of [...gradients.values(), ...moving.map((update) => update.value)])
    graph.outputs.push({ name, type: 'float32' })
  graph.valueInfo.clear()
  removeDead(graph)
  if (options.recompute)
    recomputeForward(graph, {
      forward: forwardNodes,
      fed: new Set([...Object.keys(options.inputs), ...Object.keys(targets)]),
      types,
    })
  return { model, targets, loss: lossValue, output, outputDims: outputType.dims, gradients, updates: moving }
}

/** @throws UsageError when the graph makes no value of one of the names */
const checkMade = (graph: Graph, names: readonly string[]) => {
  const taken = takenNames(graph)
  const missing = names.find((name) => !taken.has(name))
  if (missing !== undefined)
    throw new UsageError(`the model has no value '${missing}' to take a loss of`, {
      remedy: `its outputs are ${graph.outputs.map(({ name }) => name).join(', ')}`,
    })
}

const checkScalar = (name: string, found: TensorType | undefined) => {
  if (found?.type === 'float32' && sizeOf(found.dims) === 1) return
  throw new UsageError(
    `'${name}' is ${found ? `${found.type} of shape [${found.dims.join(', ')}]` : 'no tensor'} and a loss is one float32 number`,
    { remedy: 'name a value that is a single number' },
  )
}

const takenNames = ({ inputs, initializers, nodes }: Graph): Set<string> =>
  new Set([...inputs.map(({ name }) => name), ...initializers.keys(), ...nodes.flatMap(({ outputs }) => outputs)])

/** Writes the batch's shape into the graph's inputs, in place. */
const fixInputs = (model: Model, inputs: TrainingGraphOptions['inputs']) => {
  for (const input of model.graph.inputs) {
    if (model.graph.initializers.has(input.name)) continue
    const dims = own(inputs, input.name)
    if (!dims)
      throw new UsageError(`no shape given for input '${input.name}'`, {
        remedy: `the model's inputs are ${model.graph.inputs.map((i) => i.name).join(', ')}`,
      })
    input.dims = [...dims]
  }
}

const zeros = (inputs: TrainingGraphOptions['inputs'], infos: Model['graph']['inputs']) =>
  Object.fromEntries(
    infos.flatMap(({ name, type }) => {
      const dims = own(inputs, name)
      return dims ? [[name, zero({ type, dims })]] : []
    }),
  )

const zero = ({ type, dims }: TensorType): Tensor => ({
  type,
  dims,
  bytes: new Uint8Array((sizeOf(dims) * dataTypes[type].bits) / 8),
})
