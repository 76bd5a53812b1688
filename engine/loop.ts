/**
 * The engine's loop: schedule, launch, collect, commit. While a step runs the host sleeps; shortly before its end the next
 * one is planned and launched, so that the GPU never waits for the host and a new request waits for one step at most. A
 * lost device is made again, and everything under way goes on from the tokens it has. Runs while there is work.
 */
import { EngineError } from './errors.ts'
import { toEngineError } from './failures.ts'
import type { LoadedModel, OpenModel } from './load-model.ts'
import { Pace } from './pace.ts'
import type { LogprobDetail, RunOutcome } from './runner/outcomes.ts'
import type { Sampling } from './sampling/sampling.ts'
import type { Ending, Request } from './schedule/request.ts'
import { Scheduler } from './schedule/scheduler.ts'
import type { Step } from './schedule/step.ts'

/** A request with what the loop tells about it. */
export interface Job {
  readonly request: Request
  readonly sampling: Sampling
  onIds(ids: readonly number[], details: readonly LogprobDetail[] | null): void
  /** Logits after the tokens from place `first` on; the same again where it had to start anew. */
  onLogits(first: number, rows: readonly Float32Array[]): void
  /** Once: the request ended by itself or by `end`, or with an error. */
  onEnd(outcome: { ending: Ending; error: null } | { ending: null; error: EngineError }): void
}

/** Steps shorter than this are launched several ahead and read with one map, ms. */
const SHORT = 4
const MOST_AHEAD = 4
/** Where a step takes longer, batch work is not launched ahead: an interactive request would wait for it, ms. */
const LONG = 20
/** Attempts to open the device again before everything fails. */
const ATTEMPTS = 2

export class Loop {
  readonly #model: LoadedModel
  readonly #scheduler: Scheduler
  readonly #jobs = new Map<Request, Job>()
  readonly #pace = new Pace()
  readonly #onTurn: () => void
  #open: OpenModel
  /** Launched and not collected, oldest first. */
  #steps: Step[] = []
  #running: Promise<void> | null = null
  #stopped: EngineError | null = null
  /** Devices in a row that failed before they finished a step. */
  #failures = 0
  /** Devices opened after one was lost. */
  restarts = 0
  /** Steps launched so far. */
  steps = 0

  /** @param onTurn hears of every step that was collected */
  constructor(model: LoadedModel, onTurn: () => void) {
    this.#model = model
    this.#onTurn = onTurn
    this.#open = model.open
    const { groups, slots, picks } = model.sizes
    this.#scheduler = new Scheduler({ groups, slots, picks, drafter: model.drafter })
  }

  get counts(): Scheduler['counts'] {
    return this.#scheduler.counts
  }

  get open(): OpenModel {
    return this.#open
  }

  submit(job: Job): void {
    if (this.#stopped) throw this.#stopped
    this.#jobs.set(job.request, job)
    const { runner, rest } = this.#open
    // A step with log-probabilities would hold up everybody while the driver compiles them.
    if (job.sampling.logprobs === null || runner.isWhole) this.#admit(job.request)
    else void rest.then(() => this.#admit(job.request))
  }

  #admit(request: Request): void {
    if (!this.#jobs.has(request)) return // it ended while it waited
    this.#scheduler.admit(request)
    this.#wake()
  }

  /** Ends a request early: nothing more of it is launched. */
  end(request: Request, ending: Ending): void {
    this.#scheduler.end(request, ending)
    this.#settle(request)
  }

  /** Ends what is open and waits until nothing is under way; then closes the device. */
  async stop(error: EngineError): Promise<void> {
    this.#stopped = error
    this.#failAll(error)
    await this.#running
    await this.#open.runner.drain().catch(() => undefined) // the device may be gone
    this.#open.device.close()
    await this.#open.rest
  }

  #wake(): void {
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    try {
      // Callers finish what they are doing first: a request and its listeners are set up in one turn.
      await Promise.resolve()
      while (!this.#stopped) {
        try {
          // Decided and left in one go: whoever submits a moment later must find the loop stopped, or nobody would wake it.
          if (this.#steps.length === 0 && !this.#launch()) return
          await this.#turn()
        } catch (error) {
          await this.#recover(error)
        }
      }
    } finally {
      this.#running = null
    }
  }

  /** Launches what may be launched ahead and collects what is due. */
  async #turn(): Promise<void> {
    const { runner } = this.#open
    while (this.#steps.length < MOST_AHEAD && this.#isShort() && this.#launchAhead());
    const many = Math.max(1, Math.floor(this.#steps.length / 2))
    if (many === 1) {
      await runner.waitUntilNear()
      if (this.#stopped) return
      if (this.#steps.length < 2) this.#launchAhead()
    }
    for (const { outcomes, took } of await runner.collect(many)) this.#commit(outcomes, took)
    this.#failures = 0
    this.#onTurn()
  }

  #isShort(): boolean {
    return (this.#open.runner.expected ?? SHORT) < SHORT
  }

  #launchAhead(): boolean {
    return this.#mayLaunchAhead() && this.#launch()
  }

  #mayLaunchAhead(): boolean {
    const runs = this.#steps.flatMap((step) => step.runs)
    // There is one buffer for scores.
    if (runs.some(({ request }) => request.options.score !== 'none')) return false
    const isLong = (this.#open.runner.expected ?? LONG) >= LONG
    return !isLong || runs.every(({ request }) => request.options.priority === 'interactive')
  }

  #launch(): boolean {
    const { runner } = this.#open
    const budget = this.#pace.budget(runner.sizes.chunk, this.#scheduler.streaming)
    const step = this.#scheduler.next(budget)
    if (!step) return false
    this.#steps.push(step)
    this.steps++
    runner.launch(step, (request) => this.#samplingOf(request))
    return true
  }

  #samplingOf(request: Request): Sampling {
    const job = this.#jobs.get(request)
    if (!job) throw new Error('A request that runs has a job.')
    return job.sampling
  }

  #commit(outcomes: readonly RunOutcome[], took: number): void {
    const step = this.#steps.shift()
    if (!step) return // everything was ended meanwhile
    this.#pace.note(step, took)
    for (const [i, { request, position, rows, picks }] of step.runs.entries()) {
      const { logits } = outcomes[i] as RunOutcome
      if (logits) this.#jobs.get(request)?.onLogits(position + rows - picks, logits)
    }
    for (const { run, ids } of this.#scheduler.commit(step, outcomes)) {
      const job = this.#jobs.get(run.request)
      const details = outcomes[step.runs.indexOf(run)]?.details ?? null
      const wanted = job?.sampling.logprobs != null ? details : null
      if (ids.length > 0) job?.onIds(ids, wanted?.slice(0, ids.length) ?? null)
      this.#settle(run.request)
    }
  }

  #settle(request: Request): void {
    const { ending } = request
    if (ending === null) return
    const job = this.#jobs.get(request)
    this.#jobs.delete(request)
    job?.onEnd({ ending, error: null })
  }

  /** Opens the device again and goes on; when that fails twice, everything open fails. */
  async #recover(cause: unknown): Promise<void> {
    let error = toEngineError(cause)
    this.#steps = []
    this.#scheduler.restart()
    this.#pace.reset()
    while (!this.#stopped && this.#failures < ATTEMPTS) {
      this.#failures++
      try {
        this.#open = await this.#model.reopen(this.#open)
        this.restarts++
        return
      } catch (again) {
        error = toEngineError(again)
      }
    }
    this.#failures = 0
    const message = `The GPU failed, and opening it again did not help: ${error.message}`
    this.#failAll(this.#stopped ?? new EngineError('gpu', message, { cause: error }))
  }

  #failAll(error: EngineError): void {
    for (const request of this.#scheduler.open()) this.#scheduler.end(request, 'aborted')
    this.#steps = []
    const jobs = [...this.#jobs.values()]
    this.#jobs.clear()
    for (const job of jobs) job.onEnd({ ending: null, error })
  }
}
