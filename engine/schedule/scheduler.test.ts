/** Properties of the scheduler under any interleaving of admissions, launches, commits and endings. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Ending, Request } from './request.ts'
import { Scheduler, type Step } from './scheduler.ts'

const CHUNK = 4
const STOP = 7
const DEPTH = 2

type Action =
  | { do: 'admit'; prompt: number; maxTokens: number }
  | { do: 'launch' }
  | { do: 'commit'; id: number }
  | { do: 'end'; which: number; ending: Ending }

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constant('admit' as const),
    prompt: fc.integer({ min: 1, max: 11 }),
    maxTokens: fc.integer({ min: 1, max: 6 }),
  }),
  { arbitrary: fc.record({ do: fc.constant('launch' as const) }), weight: 4 },
  {
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      id: fc.integer({ min: 0, max: 30 }),
    }),
    weight: 4,
  },
  fc.record({
    do: fc.constant('end' as const),
    which: fc.nat(8),
    ending: fc.constantFrom<Ending>('stop', 'aborted'),
  }),
)

/** A scheduler with a record of what became of every request. */
class World {
  readonly scheduler = new Scheduler(CHUNK)
  readonly requests: Request[] = []
  readonly kept = new Map<Request, number[]>()
  readonly endings = new Map<Request, Ending>()
  readonly #steps: Step[] = []
  #next = 100
  /** First launches, in order. */
  readonly begun: Request[] = []

  perform(one: Action): void {
    if (one.do === 'admit') this.admit(one.prompt, one.maxTokens)
    else if (one.do === 'launch') this.launch()
    else if (one.do === 'commit') this.commit(one.id)
    else {
      const request = this.requests[one.which % Math.max(1, this.requests.length)]
      if (request) this.scheduler.end(request, one.ending)
    }
    this.check()
  }

  admit(prompt: number, maxTokens: number): void {
    const request = new Request(
      Array.from({ length: prompt }, (_, i) => i),
      { maxTokens, stopIds: new Set([STOP]) },
    )
    this.requests.push(request)
    this.kept.set(request, [])
    this.scheduler.admit(request)
  }

  launch(): boolean {
    if (this.#steps.length >= DEPTH) return false
    const before = this.#steps.at(-1)
    const step = this.scheduler.next()
    if (!step) return false
    const { request } = step
    expect(request.state, 'nothing is launched after the end').not.toBe('done')
    if (before && before.request !== request) expect.fail('two sequences share the buffers')
    if (step.kind === 'prefill') {
      expect(step.to - step.from).toBeGreaterThan(0)
      expect(step.to - step.from).toBeLessThanOrEqual(CHUNK)
      expect(step.first).toBe(step.from === 0)
      expect(step.sample).toBe(step.to === request.prompt.length)
      if (step.first) this.begun.push(request)
    } else expect(request.prefilled).toBe(request.prompt.length)
    this.#steps.push(step)
    return true
  }

  /** Commits the oldest step; below 10 the model's id is used as it is, else a new, rising one. */
  commit(id: number): boolean {
    const step = this.#steps.shift()
    if (!step) return false
    const brings = step.kind === 'decode' || step.sample
    const wasDone = step.request.state === 'done'
    const chosen = brings ? (id < 10 ? id : this.#next++) : null
    const kept = this.scheduler.commit(step, chosen)
    if (kept !== null) {
      expect(wasDone, 'an id after the end').toBe(false)
      expect(kept).toBe(chosen)
      this.kept.get(step.request)?.push(kept)
    }
    return true
  }

  check(): void {
    for (const request of this.requests) {
      const ids = this.kept.get(request) ?? []
      expect(ids.length).toBe(request.generated)
      expect(ids.length).toBeLessThanOrEqual(request.limits.maxTokens)
      expect(ids).not.toContain(STOP)
      const rising = ids.filter((id) => id >= 100)
      expect(rising).toEqual([...rising].sort((a, b) => a - b))
      expect(request.ending === null).toBe(request.state !== 'done')
      const earlier = this.endings.get(request)
      if (earlier) expect(request.ending, 'an ending never changes').toBe(earlier)
      else if (request.ending) this.endings.set(request, request.ending)
      if (request.ending === 'length') expect(ids.length).toBe(request.limits.maxTokens)
    }
  }

  /** Launches and commits until nothing is left. */
  finish(): void {
    for (let i = 0; i < 10_000 && !this.scheduler.idle; i++) {
      if (!this.launch() && !this.commit(50)) expect.fail('open requests and nothing to do')
      this.check()
    }
    expect(this.scheduler.idle).toBe(true)
  }
}

describe('scheduler', () => {
  test('every request ends once, within its limits, in order, whatever happens in between', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const world = new World()
        for (const one of actions) world.perform(one)
        world.finish()
        expect(world.endings.size).toBe(world.requests.length)
        // First come, first served.
        const order = world.begun.map((request) => world.requests.indexOf(request))
        expect(order).toEqual([...order].sort((a, b) => a - b))
        expect(new Set(order).size).toBe(order.length)
        expect(world.scheduler.queued + world.scheduler.running).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  test('a request that nobody ends takes one prefill a chunk and one step a token', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 10 }),
        (prompt, max) => {
          const scheduler = new Scheduler(CHUNK)
          scheduler.admit(
            new Request(Array(prompt).fill(1), { maxTokens: max, stopIds: new Set() }),
          )
          const kinds: string[] = []
          for (let step = scheduler.next(); step; step = scheduler.next()) {
            kinds.push(step.kind)
            scheduler.commit(step, step.kind === 'decode' || step.sample ? 5 : null)
          }
          const prefills = Math.ceil(prompt / CHUNK)
          expect(kinds).toEqual([
            ...Array(prefills).fill('prefill'),
            ...Array(max - 1).fill('decode'),
          ])
          expect(scheduler.idle).toBe(true)
        },
      ),
    )
  })

  test('ending everything leaves nothing to launch, and late steps bring nothing', () => {
    const world = new World()
    world.admit(3, 5)
    world.admit(3, 5)
    world.launch()
    world.launch()
    expect(world.scheduler.endAll()).toEqual(world.requests)
    expect(world.scheduler.next()).toBeNull()
    expect(world.scheduler.idle).toBe(true)
    expect(world.requests.map((request) => request.ending)).toEqual(['aborted', 'aborted'])
  })
})
