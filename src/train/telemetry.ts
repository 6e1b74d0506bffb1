import type { OptimizerEvent } from '../optim/index.ts'
import type { TrainEvent } from './events.ts'

/** A number for each parameter that has one. */
type ByParameter = { readonly [parameter: string]: number }

/** What the links of the optimizer told of one step, as a line of a run's journal. Numbers keep four digits. */
export type Telemetry = {
  readonly type: 'telemetry'
  readonly step: number
  /** RAdam: the variance rectification r, the length ρ of its window and what the step was. */
  readonly rectification?: Pick<Extract<OptimizerEvent, { type: 'rectification' }>, 'factor' | 'rho' | 'mode'>
  /** By clipping link: the share that was clipped, a mean over parameters. */
  readonly clip?: { readonly [link: string]: number }
  /** ‖g‖ over all parameters, where the gradient is clipped by it. */
  readonly norm?: number
  /** ‖removed mean‖² ÷ ‖gradient‖² of centralization. */
  readonly centralized?: ByParameter
  /** ‖fast − slow‖ of Lookahead before they meet. */
  readonly distance?: ByParameter
  /** ‖lr·u‖ ÷ ‖p‖, the share of a parameter that the step changed. */
  readonly ratio?: ByParameter
}

/** Gathers a step's optimizer events and tells them as one line when the step is done. */
export const telemetryLines = (tell: (line: Telemetry) => void): ((event: TrainEvent) => void) => {
  let events: OptimizerEvent[] = []
  return (event) => {
    if (event.type === 'optimizer') events.push(event.event)
    if (event.type !== 'step' || events.length === 0) return
    tell({ type: 'telemetry', step: event.step, ...summary(events) })
    events = []
  }
}

const summary = (events: readonly OptimizerEvent[]): Omit<Telemetry, 'type' | 'step'> => {
  const of = <T extends OptimizerEvent['type']>(type: T) =>
    events.filter((event): event is Extract<OptimizerEvent, { type: T }> => event.type === type)
  const [rectified] = of('rectification')
  const clips = of('clip')
  const links = [...new Set(clips.map(({ link }) => link))]
  const norm = clips.find(({ parameter }) => parameter === undefined)?.norm
  const centralized = of('centralization').map(({ parameter, share }) => [parameter, digits(share)])
  const distance = of('lookahead').map((event) => [event.parameter, digits(event.distance)])
  const ratio = of('update').map((event) => [event.parameter, digits(event.ratio)])
  return {
    ...(rectified && {
      rectification: { factor: digits(rectified.factor), rho: digits(rectified.rho), mode: rectified.mode },
    }),
    ...(links.length > 0 && {
      clip: Object.fromEntries(
        links.map((link) => [link, digits(mean(clips.filter((clip) => clip.link === link).map(({ rate }) => rate)))]),
      ),
    }),
    ...(norm !== undefined && { norm: digits(norm) }),
    ...(centralized.length > 0 && { centralized: Object.fromEntries(centralized) }),
    ...(distance.length > 0 && { distance: Object.fromEntries(distance) }),
    ...(ratio.length > 0 && { ratio: Object.fromEntries(ratio) }),
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

const digits = (value: number): number => Number(value.toPrecision(4))
