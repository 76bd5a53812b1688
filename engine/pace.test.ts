/** How many rows of prompts go beside running answers. */
import { describe, expect, test } from 'vitest'
import { Pace } from './pace.ts'
import { Request } from './schedule/request.ts'
import type { Step } from './schedule/step.ts'

const run = (rows: number): Step['runs'][number] => ({
  request: new Request([1]),
  slot: 0,
  position: 0,
  ids: [],
  drafts: { count: 0, ids: [] },
  rows,
  picks: 1,
})

/** A step of `decoding` sequences and one chunk of a prompt. */
const step = (decoding: number, prompt: number): Step => ({
  number: 0,
  started: [],
  tables: [],
  runs: [...Array.from({ length: decoding }, () => run(1)), ...(prompt > 0 ? [run(prompt)] : [])],
})

describe('rows of prompts in a step', () => {
  test('nobody reads along: 64, or as many as 400 ms are known to be enough for', () => {
    const pace = new Pace()
    pace.note(step(4, 0), 100)
    expect(pace.budget(512, 0)).toBe(64)
    expect(pace.budget(32, 0)).toBe(32)
    pace.note(step(0, 64), 8 * 25)
    expect(pace.budget(512, 0)).toBe(16 * 8)
    expect(pace.budget(100, 0)).toBe(100)
    pace.reset()
    expect(pace.budget(512, 0)).toBe(64)
  })

  test('nobody reads along, and tiles are dear or cost next to nothing: 64, or the chunk', () => {
    const [slow, fast] = [new Pace(), new Pace()]
    slow.note(step(0, 64), 8 * 1000)
    fast.note(step(0, 64), 0.8)
    expect(slow.budget(512, 0)).toBe(64)
    expect(fast.budget(512, 0)).toBe(512)
  })

  test('before anything is known: what fills the last tile, and one more', () => {
    expect(new Pace().budget(64, 3)).toBe(13)
    expect(new Pace().budget(64, 8)).toBe(8)
    expect(new Pace().budget(5, 3)).toBe(5)
  })

  test('as many tiles as let the step last twice as long', () => {
    const pace = new Pace()
    pace.note(step(4, 0), 100)
    pace.note(step(0, 64), 8 * 30)
    // Three tiles of 30 ms fit into 100.
    expect(pace.budget(64, 4)).toBe(4 + 3 * 8)
    expect(pace.budget(16, 4)).toBe(16)
  })

  test('dear tiles: only what is free, but never nothing', () => {
    const pace = new Pace()
    pace.note(step(4, 0), 10)
    pace.note(step(0, 64), 8 * 30)
    expect(pace.budget(64, 4)).toBe(4)
    expect(pace.budget(64, 7)).toBe(9)
    expect(pace.budget(64, 8)).toBe(8)
  })

  test('tiles that cost next to nothing: the chunk', () => {
    const pace = new Pace()
    pace.note(step(4, 0), 5)
    pace.note(step(4, 60), 5.01)
    expect(pace.budget(64, 4)).toBe(64)
  })

  test('what a mixed step took teaches what a tile takes; a step without further tiles does not', () => {
    const pace = new Pace()
    pace.note(step(4, 0), 100)
    pace.note(step(4, 4), 500)
    expect(pace.budget(64, 4)).toBe(12)
    pace.note(step(4, 20), 200)
    // Two further tiles took 100 ms.
    expect(pace.budget(64, 4)).toBe(4 + 2 * 8)
  })
})
