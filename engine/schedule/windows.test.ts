/** Windows: pages that nobody sees any more are given back, and what is found again is all that the next token sees. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { actionOf, CONTEXT, type Wanted, World } from './fake-world.ts'
import { firstPage, heldPages, type KvGroup } from './kv-group.ts'
import type { SchedulerOptions } from './options.ts'
import { PAGE } from './page-size.ts'
import { Request } from './request.ts'

const ALL = CONTEXT / PAGE
const ROWS = 16

/** Pages for so many sequences. */
function groupOf(window: number, sequences: number, rows = ROWS): KvGroup {
  const held = heldPages(window, rows, ALL)
  return { window, held, pages: Math.ceil(held * sequences) }
}

const optionsOf = (...groups: KvGroup[]): SchedulerOptions => ({
  groups,
  slots: 4,
  picks: 12,
  drafter: 'lookup',
})

const wantedOf = (text: number, length: number, more: Partial<Wanted> = {}): Wanted => ({
  ...{ text, length, maxTokens: 26, priority: 'interactive', salt: '' },
  ...{ drafts: 0, stepwise: false, siblings: 0 },
  ...more,
})

describe('whatever happens in between', () => {
  test.each<[string, SchedulerOptions]>([
    ['one window', optionsOf(groupOf(20, 3))],
    ['one window, pages for one', optionsOf(groupOf(33, 1))],
    ['a window within a page', optionsOf(groupOf(5, 2.5))],
    ['a window of one', optionsOf(groupOf(1, 1, 4))],
    ['a window beside all', optionsOf(groupOf(0, 2), groupOf(20, 2))],
    ['pages for one in each', optionsOf(groupOf(0, 1), groupOf(17, 1))],
    ['scarce in the window', optionsOf(groupOf(0, 5), groupOf(33, 1))],
    [
      'two windows and a draft model',
      { ...optionsOf(groupOf(40, 2), groupOf(0, 2), groupOf(9, 2)), drafter: 'model' },
    ],
  ])('%s: every request gets its own tokens and ends once', (_, options) => {
    fc.assert(
      fc.property(fc.array(actionOf(3), { maxLength: 120 }), (actions) => {
        const world = new World(options)
        for (const action of actions) world.perform(action)
        world.finish()
        expect(world.ended.size).toBe(world.requests.length)
      }),
      { numRuns: 250 },
    )
  })
})

test('pages that rows in a row see and fill, wherever they begin, are never more than those held', () => {
  const cases = { window: fc.integer({ min: 1, max: 99 }), rows: fc.integer({ min: 1, max: 99 }) }
  fc.assert(
    fc.property(fc.record({ ...cases, position: fc.nat(999) }), ({ window, rows, position }) => {
      const end = Math.ceil((position + rows) / PAGE)
      const first = firstPage(window, position)
      expect(end - first).toBeLessThanOrEqual(heldPages(window, rows, 9999))
      expect(first * PAGE).toBeLessThanOrEqual(Math.max(0, position + 1 - window))
    }),
  )
})

describe('what a sequence holds', () => {
  test('never more than its window and a step, however long it gets; the rest is free or found again', () => {
    const group = groupOf(20, 1)
    const world = new World(optionsOf(group))
    const request = world.admit(wantedOf(0, 70))
    const seen: number[] = []
    while (request.state !== 'done') {
      if (!world.launch(ROWS)) world.commit()
      seen.push(world.scheduler.counts.pages.inUse)
    }
    expect(group.pages).toBeLessThan(Math.ceil(request.tokens.length / PAGE))
    expect(Math.max(...seen)).toBe(group.held)
    expect(world.scheduler.counts.preemptions).toBe(0)
    // Decoding, those of the window alone.
    expect(seen.at(-2)).toBeLessThanOrEqual(heldPages(20, 1, ALL))
  })

  test('a prompt in few pages goes in chunks that they have room for', () => {
    const world = new World(optionsOf(groupOf(20, 1, 5)))
    world.admit(wantedOf(0, 70, { maxTokens: 1 }))
    const rows: number[] = []
    for (let step = world.launch(64); step; step = world.launch(64)) {
      rows.push(...step.runs.map((run) => run.rows))
      world.commit()
    }
    expect(rows.reduce((a, b) => a + b, 0)).toBe(70)
    expect(Math.max(...rows)).toBeLessThan(64)
  })

  test('steps read no more for a token at four windows than at two', () => {
    const world = new World(optionsOf(groupOf(20, 2)))
    world.admit(wantedOf(0, 30, { maxTokens: 60 }))
    const reads = new Map<number, number>()
    for (;;) {
      const before = world.read
      const step = world.launch(64)
      const position = step?.runs[0]?.position
      if (position !== undefined) reads.set(position, world.read - before)
      else if (!world.commit()) break
    }
    expect([reads.get(40), reads.get(80)]).toEqual([20, 20])
  })
})

describe('sharing', () => {
  /** Tokens found of the same prompt, asked for once more. */
  const foundAgain = (world: World, length: number): number | null => {
    const again = world.admit(wantedOf(0, length, { maxTokens: 1 }))
    world.finish()
    return again.cachedTokens
  }

  test('a prefix whose early pages went to others is found whole where its window is there', () => {
    // The answer of the second takes what lies longest: the first pages of the prompt.
    const world = new World(optionsOf(groupOf(20, 2)))
    world.admit(wantedOf(0, 70, { maxTokens: 1 }))
    world.finish()
    world.admit(wantedOf(1, 50, { maxTokens: 1, salt: 'other' }))
    world.finish()
    expect(world.scheduler.counts.pages.free).toBe(0)
    expect(foundAgain(world, 70)).toBe(69)
    // Its beginning alone cannot be had: the pages of its window are gone.
    expect(foundAgain(world, 30)).toBe(0)
  })

  test('without a page of the window nothing behind it is found', () => {
    for (const groups of [[groupOf(40, 1)], [groupOf(0, 4), groupOf(40, 1)]]) {
      const world = new World(optionsOf(...groups))
      world.admit(wantedOf(0, 70, { maxTokens: 1 }))
      world.finish()
      expect(foundAgain(world, 70)).toBe(69)
      world.admit(wantedOf(1, 70, { maxTokens: 1, salt: 'other' }))
      world.finish()
      expect(foundAgain(world, 70)).toBe(0)
    }
  })

  test('a beginning that the window of a longer one went past is found while its pages lie there', () => {
    const world = new World(optionsOf(groupOf(0, 3), groupOf(20, 4)))
    world.admit(wantedOf(0, 70, { maxTokens: 1 }))
    world.finish()
    expect(foundAgain(world, 40)).toBe(39)
  })

  test('the next turn of a conversation finds the window of the last one', () => {
    const world = new World(optionsOf(groupOf(20, 1)))
    const first = world.admit(wantedOf(0, 60, { maxTokens: 20 }))
    world.finish()
    const turn = new Request([...first.tokens, 1, 2, 3], { maxTokens: 3, stopIds: new Set() })
    world.scheduler.admit(turn)
    world.launch(ROWS)
    expect(turn.cachedTokens).toBe(first.tokens.length - 1)
  })

  test('siblings share the window of the prompt', () => {
    const world = new World(optionsOf(groupOf(20, 4)))
    world.admit(wantedOf(0, 45, { siblings: 2 }))
    world.finish()
    expect(world.requests.map((request) => request.cachedTokens)).toEqual([0, 44, 44])
  })
})
