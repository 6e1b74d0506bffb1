/** How fast work goes and how long it will last, from the ticks of the last few seconds. */
export const pace = (total: number) => {
  const started = performance.now()
  const recent: { at: number; done: number; samples: number }[] = [{ at: started, done: 0, samples: 0 }]
  let [done, samples] = [0, 0]
  return {
    /** One unit of work with so many samples is done. */
    tick(count: number): { rate: number; secondsLeft: number } {
      done++
      samples += count
      const now = performance.now()
      recent.push({ at: now, done, samples })
      while (recent.length > 2 && now - recent[0]!.at > 5000) recent.shift()
      const since = recent[0]!
      const seconds = (now - since.at) / 1000 || 1e-9
      return {
        rate: (samples - since.samples) / seconds,
        secondsLeft: ((total - done) * seconds) / (done - since.done),
      }
    },
    seconds: () => (performance.now() - started) / 1000,
  }
}
