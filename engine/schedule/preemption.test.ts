/** Pages that run out in the middle of planning: whoever is in the step already must stay in it. */
import { expect, test } from 'vitest'
import { all, type Wanted, World } from './fake-world.ts'

const interactive = (text: number, length: number, drafts = 0): Wanted => ({
  text,
  length,
  maxTokens: 26,
  priority: 'interactive',
  salt: String(text),
  drafts,
  stepwise: false,
  siblings: 0,
})

/**
 * The first grows, so the second, which drafts, is sent back while an id of it is under way; the third overtakes it. When
 * the second has come again, its drafts want a page more than there is, and the third has planned its row already.
 */
test('drafts that find no page do not send back whoever is planned already', () => {
  const world = new World({ groups: all(6), slots: 4, picks: 64, drafter: 'lookup' })
  world.admit(interactive(0, 24))
  const second = world.admit(interactive(1, 40, 16))
  while (second.state !== 'waiting' || second.pending === 0) {
    while (world.commit());
    world.launch(64)
    world.launch(64)
  }
  world.admit(interactive(2, 12))
  world.launch(64)
  while (world.commit());
  world.finish(8)
  expect(world.ended.size).toBe(3)
})
