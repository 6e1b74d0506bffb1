import { EspalierError } from '../base/index.ts'
import type { Evaluation, TrainEvent, TrainResult } from '../train/index.ts'
import { bar, type Console, duration, percent } from './console.ts'
import { stage } from './limits/report.ts'

/** Shows a training run: a line per evaluation as the article prints it, and a bar with rate and time left. */
export const showTraining = (console: Console, label = 'training') => {
  let steps = 1
  return (event: TrainEvent): void => {
    stage('train')
    switch (event.type) {
      case 'start':
        steps = event.steps
        break
      case 'step':
        console.progress(
          `${label} ${bar(event.step / steps)}  step ${event.step}/${steps}  loss ${event.loss.toFixed(4)}  ${Math.round(event.rate)} samples/s  ${duration(event.secondsLeft)} left`,
        )
        break
      case 'evaluation':
        console.say(
          `Epoch: ${event.epoch} | step ${event.step} | train loss: ${event.trainLoss.toFixed(4)} | test ${answersText(event)}`,
        )
        break
      case 'skipped':
        console.say(`step ${event.step} skipped: ${event.reason}`)
        break
    }
  }
}

/** How far a training run came that a signal ended; nothing of a whole one. */
export const interruption = (
  { stopped, state: { step } }: Pick<TrainResult, 'stopped' | 'state'>,
  label?: string,
): string | undefined =>
  stopped
    ? `interrupted ${step > 0 ? `after step ${step}` : 'before the first step'}${label ? ` (${label})` : ''}`
    : undefined

/** How an evaluation went: 'accuracy: 97.3 %', 'loss: 0.12' of a network that makes its own loss, or of numbers 'loss: 0.12 | mean error: 0.3 | explained: 91 %'. */
export const answersText = (
  { accuracy, loss, meanIoU, meanError, explained = Number.NaN }: Omit<Evaluation, 'predictions'>,
  [colon, between] = [':', ' | '],
): string => {
  const found: (readonly [string, string])[] =
    meanError !== undefined
      ? [
          ['loss', loss.toPrecision(4)],
          ['mean error', meanError.toPrecision(4)],
          ['explained', percent(explained)],
        ]
      : Number.isFinite(accuracy)
        ? [['accuracy', percent(accuracy)], ...(meanIoU === undefined ? [] : [['mean IoU', percent(meanIoU)] as const])]
        : [['loss', loss.toPrecision(4)]]
  return found.map(([name, value]) => `${name}${colon} ${value}`).join(between)
}

/** Refuses what would end in nonsense: a pattern that matches no name. */
export const matching = (
  names: readonly string[],
  patterns: readonly string[],
  matches: (pattern: string, name: string) => boolean,
): string[] => {
  for (const pattern of patterns)
    if (!names.some((name) => matches(pattern, name)))
      throw new EspalierError(`'${pattern}' matches no initializer`, {
        remedy: `there are ${names.slice(0, 8).join(', ')}`,
      })
  return names.filter((name) => patterns.some((pattern) => matches(pattern, name)))
}
