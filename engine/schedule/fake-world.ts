/** For tests of the scheduler: it, a GPU that knows right from wrong, random actions, and a record of what became of every request. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { continuation, FakeGpu, VOCABULARY } from './fake-gpu.ts'
import type { KvGroup } from './kv-group.ts'
import type { SchedulerOptions } from './options.ts'
import { type Ending, type Priority, Request } from './request.ts'
import { Scheduler } from './scheduler.ts'
import type { Outcome, Step } from './step.ts'

const STOP = VOCABULARY - 1
const DEPTH = 3
export const CONTEXT = 96

/** One group of layers that see everything. */
export const all = (pages: number): KvGroup[] => [{ window: 0, pages, held: pages }]

export interface Wanted {
  /** Which of a few texts that share their beginnings, and how much of it. */
  text: number
  length: number
  maxTokens: number
  priority: Priority
  salt: string
  drafts: number
  stepwise: boolean
  /** Further requests over the same prompt. */
  siblings: number
}

type Action =
  | { do: 'admit'; wanted: Wanted }
  | { do: 'launch'; budget: number }
  | { do: 'commit' }
  | { do: 'end'; which: number }
  | { do: 'lose the device' }

const wantedOf = (drafts: number): fc.Arbitrary<Wanted> =>
  fc.record({
    text: fc.nat(2),
    length: fc.integer({ min: 1, max: 70 }),
    maxTokens: fc.integer({ min: 1, max: CONTEXT - 70 }),
    priority: fc.constantFrom<Priority>('interactive', 'interactive', 'batch'),
    salt: fc.constantFrom('', '', 'other'),
    drafts: fc.constantFrom(0, 0, drafts),
    stepwise: fc.constantFrom(false, false, true),
    siblings: fc.constantFrom(0, 0, 0, 2),
  })

export const actionOf = (drafts: number): fc.Arbitrary<Action> =>
  fc.oneof(
    {
      arbitrary: fc.record({ do: fc.constant('admit' as const), wanted: wantedOf(drafts) }),
      weight: 3,
    },
    {
      arbitrary: fc.record({
        do: fc.constant('launch' as const),
        budget: fc.constantFrom(1, 7, 16, 64),
      }),
      weight: 6,
    },
    { arbitrary: fc.record({ do: fc.constant('commit' as const) }), weight: 6 },
    { arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(20) }), weight: 1 },
    { arbitrary: fc.record({ do: fc.constant('lose the device' as const) }), weight: 1 },
  )

/** Text `which`: the same as the others for its first 40 ids, its own after. */
const textOf = (which: number): number[] =>
  Array.from({ length: 70 }, (_, i) => (i < 40 ? i % 11 : (i * 7 + which) % 13))

/** A scheduler, a GPU that knows right from wrong, and a record of what became of every request. */
export class World {
  readonly scheduler: Scheduler
  #gpu: FakeGpu
  readonly requests: Request[] = []
  readonly kept = new Map<Request, number[]>()
  readonly ended = new Map<Request, Ending>()
  #launched: { step: Step; outcomes: Outcome[] }[] = []
  readonly #options: SchedulerOptions

  constructor(options: SchedulerOptions) {
    this.#options = options
    this.#gpu = new FakeGpu(options.groups)
    this.scheduler = new Scheduler(options)
  }

  /** Places of the cache that rows have read. */
  get read(): number {
    return this.#gpu.read
  }

  perform(action: Action): void {
    if (action.do === 'admit') this.admit(action.wanted)
    else if (action.do === 'launch') this.launch(action.budget)
    else if (action.do === 'commit') this.commit()
    else if (action.do === 'end') {
      const request = this.requests[action.which % Math.max(1, this.requests.length)]
      if (request) this.scheduler.end(request, 'aborted')
    } else {
      this.#gpu = new FakeGpu(this.#options.groups)
      this.#launched = []
      this.scheduler.restart()
    }
    this.check()
  }

  admit({ text, length, siblings, ...options }: Wanted): Request {
    const prompt = textOf(text).slice(0, length)
    const stopIds = new Set([STOP])
    let first: Request | null = null
    for (let i = 0; i <= siblings; i++) {
      const request: Request = new Request(prompt, { ...options, stopIds, sibling: first })
      first ??= request
      this.requests.push(request)
      this.kept.set(request, [])
      this.scheduler.admit(request)
    }
    return first as Request
  }

  launch(budget: number): Step | null {
    if (this.#launched.length >= DEPTH) return null
    const step = this.scheduler.next(budget)
    if (!step) return null
    const outcomes = this.#gpu.run(step)
    const picks = step.runs.reduce((sum, run) => sum + run.picks, 0)
    expect(picks).toBeLessThanOrEqual(this.#options.picks)
    const promptRows = step.runs.map((run) => (run.ids.length > 1 ? run.ids.length : 0))
    expect(promptRows.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(budget)
    for (const { request } of step.runs) expect(request.state).toBe('running')
    this.#launched.push({ step, outcomes })
    return step
  }

  commit(): boolean {
    const oldest = this.#launched.shift()
    if (!oldest) return false
    for (const { run, ids } of this.scheduler.commit(oldest.step, oldest.outcomes)) {
      this.kept.get(run.request)?.push(...ids)
    }
    return true
  }

  check(): void {
    this.scheduler.counts.groups.forEach(({ free, cached, inUse, total }, group) => {
      expect(free + cached + inUse).toBe(total)
      const held = this.requests.map(({ residence }) => {
        const { pages, first } = residence?.tables[group] ?? { pages: [], first: 0 }
        return pages.length - first
      })
      expect(Math.max(0, ...held)).toBeLessThanOrEqual(this.#options.groups[group]!.held)
      expect(inUse).toBeLessThanOrEqual(held.reduce((a, b) => a + b, 0))
    })
    for (const request of this.requests) {
      const ids = this.kept.get(request) ?? []
      const truth = continuation(request)
      expect(ids).toEqual(truth.ids.slice(0, ids.length))
      expect(request.ending === null).toBe(request.state !== 'done')
      const earlier = this.ended.get(request)
      if (earlier) expect(request.ending, 'an ending never changes').toBe(earlier)
      else if (request.ending) this.ended.set(request, request.ending)
      if (request.ending && request.ending !== 'aborted') {
        expect({ ids, ending: request.ending }).toEqual(truth)
      }
    }
  }

  /** Launches and commits until nothing is left. */
  finish(budget = 16): void {
    for (let turn = 0; this.scheduler.open().length > 0; turn++) {
      if (turn > 20_000) expect.fail('open requests and no end')
      if (!this.launch(budget) && !this.commit()) expect.fail('open requests and nothing to do')
    }
    while (this.commit());
    this.check()
    expect(this.scheduler.counts).toMatchObject({ running: 0, queued: 0, pages: { inUse: 0 } })
  }
}
