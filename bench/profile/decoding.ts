/** A model in this thread, its loop in reach: what each decoded token costs the host, and a step to look at closely. */
import { EngineError } from '../../engine/index.ts'
import { type LoadedModel, loadModel } from '../../engine/load-model.ts'
import { Loop } from '../../engine/loop.ts'
import { GREEDY } from '../../engine/sampling/sampling.ts'
import { Request } from '../../engine/schedule/request.ts'
import type { Step } from '../../engine/schedule/step.ts'
import type { Segment } from '../../kernels/index.ts'
import { freshSalt } from '../cold.ts'

type Calls = Readonly<Record<string, number>>

/** The launch of a step that decodes a token. */
export interface Launch {
  /** Writes, encoding and submit, milliseconds of the processor. */
  readonly ms: number
  /** Calls to the GPU since the launch before. */
  readonly calls: Calls
}

/** When a token came, and how long the GPU had been at work by then, milliseconds as the host saw it. */
export interface Arrival {
  readonly at: number
  readonly busy: number
}

export interface Decoded {
  readonly ids: readonly number[]
  /** Of every token but the first, which ends the prompt. */
  readonly launches: readonly Launch[]
  readonly arrivals: readonly Arrival[]
  /** The last decode step. */
  readonly step: readonly Segment[]
  /** The step that took most rows: a part of the prompt. */
  readonly promptStep: readonly Segment[]
}

export class Decoding {
  readonly model: LoadedModel
  readonly #loop: Loop

  private constructor(model: LoadedModel) {
    this.model = model
    this.#loop = new Loop(model, () => undefined)
  }

  /** Throws EngineError. */
  static async open(model: string | undefined, adapter: string | undefined): Promise<Decoding> {
    const device = { inThread: true, timestamps: true }
    const loaded = await loadModel(model, { ...(adapter ? { adapter } : {}), device })
    // Until then steps run in what is compiled, not in what suits them best.
    await loaded.open.rest
    return new Decoding(loaded)
  }

  /** Decodes `tokens` greedy ids after a prompt that nothing has computed before. Throws EngineError. */
  async run(prompt: readonly number[], tokens: number): Promise<Decoded> {
    const { device, runner } = this.model.open
    let [step, promptStep]: (readonly Segment[])[] = [[], []]
    const rows = (segments: readonly Segment[] = []): number => segments[0]?.rows ?? 0
    const launches: Launch[] = []
    const ids: number[] = []
    const arrivals: Arrival[] = []
    const watched = this.#watch(
      ({ position }, launch) => position >= prompt.length && launches.push(launch),
    )
    device.onReplay = (segments) => {
      if (segments.length > 0) step = segments
      if (rows(segments) > rows(promptStep)) promptStep = segments
    }
    try {
      await this.#generate(prompt, tokens, (more) => {
        ids.push(...more)
        arrivals.push({ at: performance.now(), busy: runner.busy })
      })
    } finally {
      device.onReplay = null
      watched.stop()
    }
    return { ids, launches, arrivals, step: step ?? [], promptStep: promptStep ?? [] }
  }

  /** Hears of every launch with the first run of its step. */
  #watch(onLaunch: (run: Step['runs'][number], launch: Launch) => void): { stop(): void } {
    const { device, runner } = this.model.open
    const launch = runner.launch
    let before = { ...device.counters }
    runner.launch = (step, samplingOf) => {
      const start = performance.now()
      launch.call(runner, step, samplingOf)
      const ms = performance.now() - start
      const now = { ...device.counters }
      const [run] = step.runs
      if (run) onLaunch(run, { ms, calls: difference(now, before) })
      before = now
    }
    return {
      stop: () => {
        runner.launch = launch
      },
    }
  }

  #generate(
    prompt: readonly number[],
    maxTokens: number,
    onIds: (ids: readonly number[]) => void,
  ): Promise<void> {
    const request = new Request(prompt, { maxTokens, salt: freshSalt() })
    return new Promise((resolve, reject) => {
      const onEnd = ({ error }: { error: EngineError | null }): void =>
        error ? reject(error) : resolve()
      this.#loop.submit({ request, sampling: GREEDY, onIds, onLogits: () => undefined, onEnd })
    })
  }

  async close(): Promise<void> {
    await this.#loop.stop(new EngineError('closed', 'The profile is done.'))
  }
}

const difference = (now: Calls, before: Calls): Calls =>
  Object.fromEntries(
    Object.entries(now).map(([kind, count]) => [kind, count - (before[kind] ?? 0)]),
  )
