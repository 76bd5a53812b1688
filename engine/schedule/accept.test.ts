/** Which of the chosen ids are kept. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { accept } from './accept.ts'

const NONE: ReadonlySet<number> = new Set()
const STOPS: ReadonlySet<number> = new Set([9])

test.each([
  ['without drafts the one id', [5], [], NONE, 10, { ids: [5], drafts: 0, ending: null }],
  ['all drafts right: one id more', [5, 6, 7], [5, 6], NONE, 10, { ids: [5, 6, 7], drafts: 2 }],
  ['the first wrong: its own id only', [5, 6, 7], [4, 6], NONE, 10, { ids: [5], drafts: 0 }],
  ['wrong in the middle', [5, 6, 7], [5, 4], NONE, 10, { ids: [5, 6], drafts: 1 }],
  ['a stop id ends and is not kept', [9], [], STOPS, 10, { ids: [], drafts: 0, ending: 'stop' }],
  ['a stop id behind a right draft', [5, 9, 7], [5, 9], STOPS, 10, { ids: [5], ending: 'stop' }],
  [
    'a stop id behind a wrong draft is not seen',
    [5, 9],
    [4],
    STOPS,
    10,
    { ids: [5], ending: null },
  ],
  ['no more than there is room for', [5, 6, 7], [5, 6], NONE, 2, { ids: [5, 6], ending: 'length' }],
  ['the last of the room', [5], [], NONE, 1, { ids: [5], drafts: 0, ending: 'length' }],
  ['stop before length', [9], [], STOPS, 1, { ids: [], ending: 'stop' }],
] as const)('%s', (_, chosen, drafted, stops, room, wanted) => {
  expect(accept(chosen, drafted, stops, room)).toMatchObject({ ending: null, ...wanted })
})

test('it keeps what going one by one would have kept', () => {
  const ids = fc.array(fc.nat(3), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(ids, ids, fc.integer({ min: 1, max: 7 }), (truth, guesses, room) => {
      // A model whose next ids are `truth`, as long as its input was right.
      const drafted = guesses.slice(0, truth.length - 1)
      const stops = new Set([3])
      const {
        ids: kept,
        drafts,
        ending,
      } = accept(truth.slice(0, drafted.length + 1), drafted, stops, room)
      const right = drafted.findIndex((id, i) => id !== truth[i])
      const reach = truth.slice(0, right < 0 ? drafted.length + 1 : right + 1)
      const stop = reach.findIndex((id) => stops.has(id))
      const wanted = (stop < 0 ? reach : reach.slice(0, stop)).slice(0, room)
      expect(kept).toEqual(wanted)
      const isStop = stop >= 0 && stop < room
      expect(ending).toBe(isStop ? 'stop' : kept.length === room ? 'length' : null)
      // Rows behind the kept ids whose input was right.
      expect(drafts).toBeLessThanOrEqual(kept.length)
      for (let i = 0; i < drafts; i++) expect(drafted[i]).toBe(truth[i])
    }),
  )
})
