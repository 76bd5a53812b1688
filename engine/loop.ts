/**
 * The engine's loop: schedule, launch, collect, commit. One step is always launched before the one ahead of it is read,
 * so that the GPU never waits for the host. It runs while there is work and stops when there is none.
 */
import type { SampleSettings } from '../kernels/index.ts'
import type { EngineError } from './errors.ts'
import { toEngineError } from './failures.ts'
import type { Runner } from './runner/runner.ts'
import type { Request } from './schedule/request.ts'
import { Scheduler, type Step } from './schedule/scheduler.ts'

/** A request with what the loop tells about it. */
export interface Job {
  readonly request: Request
  readonly settings: SampleSettings
  onId(id: number): void
  /** Once: the request ended by itself or by `end` (null), or with an error. */
  onEnd(error: EngineError | null): void
}

interface Exclusive {
  run(): Promise<void>
  fail(error: EngineError): void
}

/** Steps launched ahead: one runs while the next waits in the queue. */
const DEPTH = 2

export class Loop {
  readonly #runner: Runner
  readonly #scheduler: Scheduler
  readonly #jobs = new Map<Request, Job>()
  readonly #steps: Step[] = []
  readonly #exclusive: Exclusive[] = []
  #running: Promise<void> | null = null
  #broken: EngineError | null = null

  constructor(runner: Runner, chunk: number) {
    this.#runner = runner
    this.#scheduler = new Scheduler(chunk)
  }

  get queued(): number {
    return this.#scheduler.queued
  }

  get active(): number {
    return this.#scheduler.running
  }

  /** Throws EngineError('gpu') when the GPU failed earlier. */
  submit(job: Job): void {
    if (this.#broken) throw this.#broken
    this.#jobs.set(job.request, job)
    this.#scheduler.admit(job.request)
    this.#wake()
  }

  /** Ends a request early: nothing more of it is launched. */
  end(request: Request, ending: 'stop' | 'aborted'): void {
    this.#scheduler.end(request, ending)
    this.#settle(request)
  }

  /** Runs `work` while no request runs. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    if (this.#broken) return Promise.reject(this.#broken)
    return new Promise<T>((resolve, reject) => {
      const fail = (error: unknown): void => reject(toEngineError(error))
      this.#exclusive.push({ run: () => work().then(resolve, fail), fail })
      this.#wake()
    })
  }

  /** Ends what is open and waits until nothing is under way. */
  async stop(error: EngineError): Promise<void> {
    this.#fail(error)
    await this.#running
    if (this.#runner.inFlight > 0) await this.#runner.drain().catch(() => undefined) // the device may be gone
  }

  #wake(): void {
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    try {
      // Callers finish what they are doing first: a request and its listeners are set up in one turn.
      await Promise.resolve()
      while (!this.#broken) {
        const work =
          this.#steps.length === 0 && this.active === 0 ? this.#exclusive.shift() : undefined
        if (work) {
          await work.run()
          continue
        }
        const step = this.#steps.length < DEPTH && this.#mayLaunch() ? this.#scheduler.next() : null
        if (step) {
          this.#launch(step)
          continue
        }
        if (this.#steps.length === 0) return
        await this.#collect()
      }
    } catch (error) {
      this.#fail(toEngineError(error))
    } finally {
      // In the turn that found nothing to do: whoever submits later must find the loop stopped, or nobody would wake it.
      this.#running = null
    }
  }

  /** Work that needs the GPU alone goes before the next request. */
  #mayLaunch(): boolean {
    return this.active > 0 || this.#exclusive.length === 0
  }

  #launch(step: Step): void {
    this.#steps.push(step)
    if (step.kind === 'decode') {
      this.#runner.launchDecode()
      return
    }
    const { request, from, to, sample } = step
    const job = this.#jobs.get(request)
    if (step.first && job) this.#runner.begin(request.prompt, job.settings)
    this.#runner.launchPrefill({ ids: request.prompt.slice(from, to), position: from, sample })
  }

  async #collect(): Promise<void> {
    const id = await this.#runner.collect()
    const step = this.#steps.shift()
    if (!step) return
    const kept = this.#scheduler.commit(step, id)
    if (kept !== null) this.#jobs.get(step.request)?.onId(kept)
    this.#settle(step.request)
  }

  #settle(request: Request): void {
    if (request.state !== 'done') return
    const job = this.#jobs.get(request)
    this.#jobs.delete(request)
    job?.onEnd(null)
  }

  #fail(error: EngineError): void {
    this.#broken = error
    this.#scheduler.endAll()
    this.#steps.length = 0
    for (const job of this.#jobs.values()) job.onEnd(error)
    this.#jobs.clear()
    for (const work of this.#exclusive.splice(0)) work.fail(error)
  }
}
