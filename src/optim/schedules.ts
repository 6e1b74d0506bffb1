/** A factor on the learning rate by the number of updates made so far (0 at the first). */
export type Schedule = (step: number) => number
