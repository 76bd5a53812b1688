/**
 * Which rows the next step computes. Pure: no GPU, no clock, nothing asynchronous. Every step takes one row of each
 * decoding sequence and a chunk of prompts under a budget; sequences join and leave between steps. When pages run out the
 * youngest goes back to the queue and comes again later, with the tokens it has. `interactive` requests are planned
 * first, and `batch` requests make room for them.
 */
import { accept } from './accept.ts'
import type { SchedulerCounts } from './counts.ts'
import { draftsFor, NO_DRAFTS } from './drafts.ts'
import { hasPrompt, KvSpace, residenceOf, type Started } from './kv-space.ts'
import type { SchedulerOptions } from './options.ts'
import { totalOf } from './pages.ts'
import { WaitingQueue } from './queue.ts'
import type { Ending, Priority, Request } from './request.ts'
import { RunningList } from './running.ts'
import type { Draft, Kept, Outcome, Run, Step } from './step.ts'

export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #space: KvSpace
  readonly #waiting = new WaitingQueue()
  readonly #running = new RunningList()
  #steps = 0
  #preemptions = 0
  #drafted = 0
  #accepted = 0

  constructor(options: SchedulerOptions) {
    this.#options = options
    this.#space = new KvSpace(options.groups, options.slots)
  }

  get counts(): SchedulerCounts {
    const groups = this.#space.counts
    return {
      running: this.#running.size,
      queued: this.#waiting.size,
      preemptions: this.#preemptions,
      drafted: this.#drafted,
      accepted: this.#accepted,
      promptTokens: this.#space.prefix.asked,
      cachedTokens: this.#space.prefix.found,
      pages: totalOf(groups),
      groups,
    }
  }

  /** Interactive sequences that grow by a token a step. */
  get streaming(): number {
    return this.#running.of('interactive').filter((request) => request.remaining === 1).length
  }

  /** The caller sees to it that prompt and answer fit the pool. */
  admit(request: Request): void {
    this.#waiting.add(request)
  }

  /**
   * The next step, or null when nothing can run until something is committed or admitted.
   * @param prompt most rows of prompts
   */
  next(prompt: number): Step | null {
    const { picks } = this.#options
    const draft: Draft = { number: this.#steps, started: [], tables: [], runs: [], prompt, picks }
    for (const priority of ['interactive', 'batch'] as const) {
      this.#moveWindows(draft, priority)
      for (const request of this.#running.of(priority)) {
        if (request.remaining === 1) this.#plan(draft, request)
      }
      for (const request of this.#running.of(priority)) {
        if (request.remaining > 1) this.#plan(draft, request)
      }
      this.#welcome(draft, priority)
    }
    if (draft.runs.length === 0) return null
    this.#steps++
    const { number, started, tables, runs } = draft
    return { number, started, tables, runs }
  }

  /** Prompts whose window moves on get their pages before anybody is planned: who is in the step must stay in it. */
  #moveWindows(draft: Draft, priority: Priority): void {
    for (const request of this.#running.of(priority)) {
      if (request.state !== 'running' || request.remaining < 2) continue
      this.#makeRoom(request, request.computed + this.#rowsOf(request, draft), draft)
    }
  }

  /** Starts waiting requests, first come first, while there is room and budget. */
  #welcome(draft: Draft, priority: Priority): void {
    const mayStart = (request: Request): boolean => this.#mayStart(request, draft.number)
    // Batch work starts only when nobody else waits for room.
    if (priority === 'batch' && this.#waiting.of('interactive').some(mayStart)) return
    for (const request of this.#waiting.of(priority)) {
      if (draft.prompt < 1 || draft.picks < 1) return
      if (!mayStart(request)) continue
      const started = this.#start(request, draft)
      if (!started) return
      this.#waiting.remove(request)
      draft.started.push(started)
      this.#running.add(request)
      this.#plan(draft, request)
    }
  }

  /** Not while an id of it is under way, nor before the sibling's prompt is in. */
  #mayStart(request: Request, step: number): boolean {
    const { sibling } = request.options
    if (request.pending > 0) return false
    return !sibling || sibling.state === 'done' || hasPrompt(sibling, step)
  }

  #start(request: Request, draft: Draft): Started | null {
    for (;;) {
      // Each that runs may need a page soon: to start one only to send it back would be work for nothing.
      const started = this.#space.start(request, draft.number, this.#running.size)
      if (started || request.options.priority === 'batch') return started
      const victim = this.#running.of('batch').at(-1)
      if (!victim) return null
      this.#preempt(victim, draft)
    }
  }

  /** Adds a request's rows to the step, as far as budget and pages go. */
  #plan(draft: Draft, request: Request): void {
    const { options, tokens, computed } = request
    if (request.state !== 'running' || draft.picks < 1) return
    if (request.waitsForHost && request.pending > 0) return
    const decoding = request.remaining === 1
    const rows = this.#rowsOf(request, draft)
    const ends = computed + rows === tokens.length + request.pending
    if (rows < 1 || (ends && request.isSpent)) return
    if (!this.#makeRoom(request, computed + rows, draft)) return
    const drafts = ends ? this.#draft(request, computed + rows, draft) : NO_DRAFTS
    const picks = options.score === 'all' ? rows : ends ? 1 + drafts.count : 0
    draft.runs.push({
      request,
      slot: residenceOf(request).slot,
      position: computed,
      ids: tokens.slice(computed, computed + rows),
      drafts,
      rows: rows + drafts.count,
      picks,
    })
    draft.picks -= picks
    if (!decoding) draft.prompt -= rows
    request.computed += rows + drafts.count
    if (picks > 0) request.pending++
    const residence = residenceOf(request)
    if (request.computed >= request.prompt.length) residence.promptStep ??= draft.number
    this.#space.publish(request, draft.number)
  }

  /** Rows of a request that the step has room for, drafts aside. */
  #rowsOf(request: Request, { prompt, picks }: Draft): number {
    if (request.remaining === 1) return 1
    const rows = Math.min(request.remaining, prompt, this.#space.rowsFor(request))
    return request.options.score === 'all' ? Math.min(rows, picks) : rows
  }

  /** Drafts behind `length` tokens; none where they want a page that is not there, as nobody makes room for a guess. */
  #draft(request: Request, length: number, { picks, tables }: Draft): Run['drafts'] {
    const room = this.#space.rowsFor(request) - (length - request.computed)
    const drafts = draftsFor(request, Math.min(picks - 1, room), this.#options.drafter)
    return this.#space.grow(request, length + drafts.count, tables) ? drafts : NO_DRAFTS
  }

  /** Pages for `length` tokens; takes them from the youngest. False: the request itself was that. */
  #makeRoom(request: Request, length: number, draft: Draft): boolean {
    while (!this.#space.grow(request, length, draft.tables)) {
      const victim = this.#running.youngest()!
      this.#preempt(victim, draft)
      if (victim === request) return false
    }
    return true
  }

  /** Sends a running request back to the queue: it starts again with the tokens it has. */
  #preempt(request: Request, draft: Draft): void {
    const { slot } = residenceOf(request)
    draft.tables = draft.tables.filter((entry) => entry.slot !== slot)
    this.#space.leave(request, draft.number)
    this.#running.remove(request)
    request.state = 'waiting'
    request.computed = 0
    this.#preemptions++
    this.#waiting.add(request)
  }

  /** Takes the outcomes of a step, one for each run, in the order of launching. Runs that brought nothing are left out. */
  commit(step: Step, outcomes: readonly (Outcome | null)[]): Kept[] {
    return step.runs.flatMap((run, i) => {
      const outcome = outcomes[i]
      if (!outcome || run.picks === 0) return []
      return [{ run, ids: this.#accept(run, outcome) }]
    })
  }

  #accept(run: Run, outcome: Outcome): readonly number[] {
    const { request, drafts } = run
    const { options, tokens } = request
    request.pending--
    if (request.state === 'done') return []
    if (options.score !== 'none') {
      if (run.position + run.rows === request.prompt.length) this.end(request, 'stop')
      return []
    }
    const room = options.maxTokens - request.generated
    const drafted = drafts.ids ?? outcome.drafts ?? []
    const accepted = accept(outcome.ids, drafted, options.stopIds, room)
    this.#drafted += drafts.count
    this.#accepted += accepted.drafts
    // Behind a draft that was not right lie keys and values of tokens that never came.
    if (drafts.count > 0 && request.residence) request.computed = tokens.length + accepted.drafts
    tokens.push(...accepted.ids)
    if (accepted.ending) this.end(request, accepted.ending)
    else if (request.residence) this.#space.publish(request, this.#steps - 1)
    return accepted.ids
  }

  /** Ends a request wherever it stands; steps under way are dropped when they are committed. */
  end(request: Request, ending: Ending): void {
    if (request.state === 'done') return
    if (request.residence) this.#space.leave(request, this.#steps - 1)
    this.#running.remove(request)
    this.#waiting.remove(request)
    request.state = 'done'
    request.ending = ending
  }

  /** The device is gone with the cache and with every step under way: all that ran starts again with the tokens it has. */
  restart(): void {
    this.#space.reset()
    for (const request of this.#running.drain()) {
      request.residence = null
      request.state = 'waiting'
      request.computed = 0
      this.#waiting.add(request)
    }
    for (const request of this.#waiting.all()) request.pending = 0
  }

  /** Everything that is not done. */
  open(): Request[] {
    return [...this.#running.all(), ...this.#waiting.all()]
  }
}
