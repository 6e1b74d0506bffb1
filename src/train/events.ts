import type { OptimizerEvent } from '../optim/index.ts'

/** What training tells as it goes. Steps count from 1, epochs from 0 as the article prints them. */
export type TrainEvent =
  | {
      readonly type: 'start'
      readonly steps: number
      readonly stepsPerEpoch: number
      /** The first step to come, above 1 after a resume. */
      readonly from: number
      readonly trainable: readonly string[]
      readonly parameters: number
    }
  | {
      readonly type: 'step'
      readonly step: number
      readonly epoch: number
      readonly loss: number
      readonly lr: number
      /** Samples trained on each second, lately. */
      readonly rate: number
      readonly secondsLeft: number
    }
  | {
      readonly type: 'evaluation'
      readonly step: number
      readonly epoch: number
      /** Loss of the step's own batch. */
      readonly trainLoss: number
      readonly loss: number
      /** NaN where samples have numbers to meet. */
      readonly accuracy: number
      /** Of numbers: the mean of |answer − target|, and the share of their variance that is explained. */
      readonly meanError?: number
      readonly explained?: number
      /** Where each pixel has a class. */
      readonly meanIoU?: number
      readonly samples: number
    }
  | { readonly type: 'skipped'; readonly step: number; readonly reason: string }
  | { readonly type: 'checkpoint'; readonly step: number; readonly path: string }
  | { readonly type: 'optimizer'; readonly step: number; readonly event: OptimizerEvent }
  | { readonly type: 'end'; readonly step: number; readonly seconds: number; readonly stopped: boolean }

export type OnTrainEvent = (event: TrainEvent) => void
