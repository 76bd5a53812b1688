/** Properties of the scheduler under any interleaving: right tokens, pages that add up, first come first served, priorities. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { actionOf, all, CONTEXT, type Wanted, World } from './fake-world.ts'
import type { SchedulerOptions } from './options.ts'
import { Request } from './request.ts'

const OPTIONS: SchedulerOptions = { groups: all(14), slots: 4, picks: 12, drafter: 'lookup' }

const interactive = (text: number, length: number, more: Partial<Wanted> = {}): Wanted => ({
  text,
  length,
  maxTokens: 8,
  priority: 'interactive',
  salt: '',
  drafts: 0,
  stepwise: false,
  siblings: 0,
  ...more,
})

describe('whatever happens in between', () => {
  test.each([
    ['room for all', { ...OPTIONS, groups: all(60) }, 3],
    ['scarce pages', OPTIONS, 3],
    ['pages for one', { ...OPTIONS, groups: all(CONTEXT / 16) }, 2],
    ['a draft model', { ...OPTIONS, drafter: 'model' as const }, 3],
  ])('%s: every request gets its own tokens and ends once', (_, options, drafts) => {
    fc.assert(
      fc.property(fc.array(actionOf(drafts), { maxLength: 120 }), (actions) => {
        const world = new World(options)
        for (const action of actions) world.perform(action)
        world.finish()
        expect(world.ended.size).toBe(world.requests.length)
      }),
      { numRuns: 300 },
    )
  })
})

describe('planning', () => {
  test('a step mixes all that decode with a chunk of prompts', () => {
    const world = new World({ ...OPTIONS, groups: all(60) })
    for (let i = 0; i < 3; i++) world.admit(interactive(i, 5, { salt: String(i) }))
    world.launch(64)
    world.admit(interactive(0, 60, { salt: 'long' }))
    const rows = world.launch(16)?.runs.map((run) => run.rows)
    expect(rows).toEqual([1, 1, 1, 16])
  })

  test('first come, first served within a priority, interactive first', () => {
    const world = new World({ ...OPTIONS, groups: all(60), slots: 2 })
    const first = [
      world.admit(interactive(0, 9, { priority: 'batch' })),
      world.admit(interactive(0, 20)),
      world.admit(interactive(0, 20, { salt: 'other' })),
      world.admit(interactive(1, 20)),
    ]
    const started: Request[] = []
    for (let turn = 0; turn < 200 && started.length < 4; turn++) {
      const step = world.launch(8)
      for (const { request } of step?.started ?? []) started.push(request)
      if (!step) world.commit()
    }
    expect(started.map((request) => first.indexOf(request))).toEqual([1, 2, 3, 0])
  })

  test('batch work makes room: an interactive prompt is in the very next step', () => {
    for (const options of [
      { ...OPTIONS, groups: all(60), slots: 2 },
      { ...OPTIONS, groups: all(6), slots: 4 },
    ]) {
      const world = new World(options)
      world.admit(interactive(0, 40, { priority: 'batch', maxTokens: 20 }))
      world.admit(interactive(1, 40, { priority: 'batch', maxTokens: 20, salt: 'b' }))
      for (let i = 0; i < 6; i++) if (!world.launch(64)) world.commit()
      const urgent = world.admit(interactive(2, 60, { salt: 'c' }))
      world.commit()
      const step = world.launch(64)
      expect(step?.runs[0]).toMatchObject({ request: urgent, rows: 60 })
      world.finish()
      expect(world.scheduler.counts.preemptions).toBeGreaterThan(0)
    }
  })

  test('out of pages, the youngest goes back to the queue and comes again', () => {
    const world = new World({ ...OPTIONS, groups: all(8) })
    const old = world.admit(interactive(0, 40, { maxTokens: 26 }))
    const young = world.admit(interactive(1, 30, { maxTokens: 26, salt: 'b' }))
    world.finish(64)
    expect(world.scheduler.counts.preemptions).toBeGreaterThan(0)
    expect(old.ending).not.toBe('aborted')
    expect(young.ending).not.toBe('aborted')
  })
})

describe('sharing', () => {
  const cachedOf = (world: World, wanted: Wanted): number | null => {
    const request = world.admit(wanted)
    world.finish(64)
    return request.cachedTokens
  }

  test('all but the last token of a known prompt is found, whatever its length', () => {
    for (let length = 1; length <= 70; length++) {
      const world = new World({ ...OPTIONS, groups: all(60) })
      expect(cachedOf(world, interactive(0, length))).toBe(0)
      const again = cachedOf(world, interactive(0, length)) ?? -1
      // One token is cheaper computed than copied.
      expect(again).toBe((length - 1) % 16 === 1 ? length - 2 : length - 1)
      expect(cachedOf(world, interactive(0, length, { salt: 'other' }))).toBe(0)
    }
  })

  test('generated tokens are found by the next turn', () => {
    const world = new World({ ...OPTIONS, groups: all(60) })
    const first = world.admit(interactive(0, 30, { maxTokens: 25 }))
    world.finish()
    const turn = new Request([...first.tokens, 1, 2, 3], { maxTokens: 3, stopIds: new Set() })
    world.scheduler.admit(turn)
    world.launch(64)
    // The last token was never computed: nothing came after it.
    expect(turn.cachedTokens).toBe(first.tokens.length - 1)
  })

  test('two that run at once share full pages, also those of one step', () => {
    const world = new World({ ...OPTIONS, groups: all(60) })
    world.admit(interactive(0, 66))
    const second = world.admit(interactive(1, 66))
    world.launch(200)
    expect(second.cachedTokens).toBe(32)
    world.finish()
  })

  test('siblings wait for the prompt and compute its last token alone', () => {
    const world = new World({ ...OPTIONS, groups: all(60) })
    world.admit(interactive(0, 45, { siblings: 2 }))
    expect(world.launch(64)?.runs.map((run) => run.rows)).toEqual([45])
    expect(world.launch(64)?.runs.map((run) => run.rows)).toEqual([1, 1, 1])
    world.finish()
    expect(world.requests.map((request) => request.cachedTokens)).toEqual([0, 44, 44])
  })

  test('the least recently used goes first, the end of a prefix before its beginning', () => {
    const world = new World({ ...OPTIONS, groups: all(8) })
    world.admit(interactive(0, 40, { salt: 'old', maxTokens: 1 }))
    world.finish()
    world.admit(interactive(0, 40, { salt: 'new', maxTokens: 1 }))
    world.finish()
    // Needs 5 of 8 pages, 2 of them free: the last page of `old`, then its first two.
    world.admit(interactive(2, 66, { salt: 'large', maxTokens: 1 }))
    world.finish()
    expect(cachedOf(world, interactive(0, 40, { salt: 'new', maxTokens: 1 }))).toBe(39)
  })

  test('a salt that is asked for and never kept leaves nothing behind', () => {
    const world = new World({ ...OPTIONS, groups: all(60) })
    for (let i = 0; i < 50; i++) world.admit(interactive(0, 3, { salt: `s${i}`, maxTokens: 1 }))
    world.finish()
    expect(world.scheduler.counts.pages.cached).toBeLessThanOrEqual(50)
  })
})

test('lookup drafts are taken as far as they are right, and counted', () => {
  const world = new World({ ...OPTIONS, groups: all(60) })
  world.admit(interactive(0, 40, { maxTokens: 26, drafts: 3 }))
  world.finish()
  const { drafted, accepted } = world.scheduler.counts
  expect(drafted).toBeGreaterThan(accepted)
  expect(accepted).toBeGreaterThan(0)
})
