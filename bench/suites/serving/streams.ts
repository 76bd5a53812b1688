/** Answers as their callers see them: when tokens arrive, at what rate, and what the event loops do meanwhile. */
import { performance } from 'node:perf_hooks'
import type { Generation } from '../../../engine/index.ts'
import { BenchError } from '../../failure.ts'
import { greedy, type ServingEngine } from './scenario.ts'

interface Arrival {
  readonly at: number
  /** Tokens that came; more than one where a character was made of several. */
  readonly tokens: number
}

export interface Stream {
  readonly ids: number[]
  readonly arrivals: Arrival[]
}

/** From the first token of the last of several streams to the last token of the first that ended: all of them decode. */
export interface Stretch {
  readonly ms: number
  readonly steps: number
  /** Utilisation of the main thread's event loop. */
  readonly main: number
  /** Of the engine's worker. */
  readonly worker: number
}

export interface Together {
  readonly streams: readonly Stream[]
  readonly stretch: Stretch
  /** Tokens a second of all streams, over the stretch. */
  readonly rate: number
}

export const newStream = (): Stream => ({ ids: [], arrivals: [] })

/** Reads an answer into `stream` to its end, or until `onTokens` says that it is enough: to leave cancels. */
export async function readInto(
  stream: Stream,
  generation: Generation,
  onTokens: () => boolean = () => false,
): Promise<void> {
  for await (const { ids } of generation) {
    // The last chunk may bring nothing but the reason of the end.
    if (ids.length === 0) continue
    stream.arrivals.push({ at: performance.now(), tokens: ids.length })
    stream.ids.push(...ids)
    if (onTokens()) return
  }
}

/** Runs all prompts at once. Throws BenchError when they never ran all at once. */
export async function runTogether(
  engine: ServingEngine,
  prompts: readonly (readonly number[])[],
  tokens: number,
): Promise<Together> {
  const streams = prompts.map(newStream)
  let begun: Moment | null = null
  let ended: Moment | null = null
  const onTokens = (): boolean => {
    if (streams.every(({ ids }) => ids.length > 0)) begun ??= momentOf(engine)
    if (streams.some(({ ids }) => ids.length >= tokens)) ended ??= momentOf(engine)
    return false
  }
  await Promise.all(
    streams.map((stream, i) =>
      readInto(stream, engine.generate(prompts[i] ?? [], greedy(tokens)), onTokens),
    ),
  )
  return { streams, stretch: stretchOf(begun, ended, streams.length), rate: rateOf(streams) }
}

/** Summed over streams: the tokens of each between two of its own, so that no step counts for some streams only. */
function rateOf(streams: readonly Stream[]): number {
  const from = Math.max(...streams.map(({ arrivals }) => arrivals[0]?.at ?? Number.NaN))
  const to = Math.min(...streams.map(({ arrivals }) => arrivals.at(-1)?.at ?? Number.NaN))
  return streams.reduce((sum, { arrivals }) => {
    const within = arrivals.filter(({ at }) => at >= from && at <= to)
    const tokens = within.slice(1).reduce((count, arrival) => count + arrival.tokens, 0)
    const ms = (within.at(-1)?.at ?? 0) - (within[0]?.at ?? 0)
    return sum + (ms > 0 ? (tokens / ms) * 1000 : 0)
  }, 0)
}

/** Milliseconds before each token of a stream but the first, and when each came. */
export function gapsOf({ arrivals }: Stream): { at: number; ms: number }[] {
  return arrivals.slice(1).flatMap(({ at, tokens }, i) => {
    const ms = (at - (arrivals[i] as Arrival).at) / tokens
    return Array.from({ length: tokens }, () => ({ at, ms }))
  })
}

interface Moment {
  readonly at: number
  readonly steps: number
  readonly main: ReturnType<typeof performance.eventLoopUtilization>
  readonly worker: { readonly active: number; readonly idle: number }
}

const momentOf = ({ stats }: ServingEngine): Moment => ({
  at: performance.now(),
  steps: stats.steps,
  main: performance.eventLoopUtilization(),
  worker: stats.loop,
})

function stretchOf(from: Moment | null, to: Moment | null, many: number): Stretch {
  if (!from || !to || to.at <= from.at) {
    throw new BenchError(
      `${many} sequences never ran at once: the first had ended before the last began. No figure.`,
    )
  }
  const active = to.worker.active - from.worker.active
  const idle = to.worker.idle - from.worker.idle
  return {
    ms: to.at - from.at,
    steps: to.steps - from.steps,
    main: performance.eventLoopUtilization(to.main, from.main).utilization,
    worker: active / (active + idle),
  }
}
