/** How late this process's event loop is. One histogram for the process, however many servers are in it. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

/** Milliseconds between two looks; Node counts them in. */
const RESOLUTION = 10

let histogram: IntervalHistogram | null = null

export function watchEventLoop(): void {
  if (histogram) return
  histogram = monitorEventLoopDelay({ resolution: RESOLUTION })
  histogram.enable()
}

/** Seconds of delay since it was last asked, by quantile; nothing before the first look. */
export function readEventLoopDelay(
  quantiles: readonly number[],
): [quantile: number, seconds: number][] {
  if (!histogram || histogram.count === 0) return []
  const read = histogram
  const delays = quantiles.map((quantile): [number, number] => {
    const seconds = read.percentile(Math.max(quantile * 100, Number.MIN_VALUE)) / 1e9
    return [quantile, Math.max(0, seconds - RESOLUTION / 1000)]
  })
  read.reset()
  return delays
}
