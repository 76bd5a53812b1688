/** Drafts: what followed the last tokens before, and how many of them a request may take. */
import { describe, expect, test } from 'vitest'
import { draftsFor, NO_DRAFTS } from './drafts.ts'
import { lookUp } from './lookup.ts'
import { Request, type RequestOptions } from './request.ts'

describe('looking up', () => {
  test.each([
    ['nothing without a repetition', [1, 2, 3, 4, 5], 4, []],
    ['what followed the last two', [1, 2, 3, 4, 1, 2], 4, [3, 4, 1, 2]],
    ['no more than asked for', [1, 2, 3, 4, 1, 2], 1, [3]],
    ['one token alone is no match', [5, 7, 8, 5], 3, []],
    ['the latest place of several', [1, 2, 3, 1, 2, 4, 1, 2], 1, [4]],
    ['the longest match before a later, shorter one', [1, 2, 3, 9, 7, 3, 8, 1, 2, 3], 1, [9]],
    ['a run of equals', [4, 4, 4, 4], 3, [4]],
    ['a loop goes on', [1, 2, 1, 2, 1, 2], 2, [1, 2]],
    ['too short for a match', [1], 4, []],
    ['nothing at all', [], 4, []],
    ['none wanted', [1, 2, 1, 2], 0, []],
  ])('%s', (_, tokens, count, wanted) => {
    expect(lookUp(tokens, count)).toEqual(wanted)
  })
})

describe('drafts for a request', () => {
  const request = (
    options: Partial<RequestOptions>,
    generated: readonly number[] = [],
  ): Request => {
    const made = new Request([1, 2, 3, 4, 5, 1, 2], { maxTokens: 20, drafts: 4, ...options })
    made.tokens.push(...generated)
    return made
  }

  test('as many as it wants, as the picks allow, as it can still use', () => {
    expect(draftsFor(request({}), 10, 'lookup')).toEqual({ count: 4, ids: [3, 4, 5, 1] })
    expect(draftsFor(request({}), 2, 'lookup')).toEqual({ count: 2, ids: [3, 4] })
    // One id comes anyway: of three more, two may be drafts.
    expect(draftsFor(request({ maxTokens: 3 }), 10, 'lookup')).toEqual({ count: 2, ids: [3, 4] })
    expect(draftsFor(request({ maxTokens: 3 }, [3]), 10, 'lookup').count).toBe(1)
  })

  test('none where none is wanted, possible or of use', () => {
    for (const [one, picks] of [
      [request({ drafts: 0 }), 10],
      [request({}), 0],
      [request({ maxTokens: 1 }), 10],
      [request({ maxTokens: 2 }, [3]), 10],
    ] as const) {
      expect(draftsFor(one, picks, 'lookup')).toBe(NO_DRAFTS)
      expect(draftsFor(one, picks, 'model')).toBe(NO_DRAFTS)
    }
    expect(draftsFor(request({}, [9, 8]), 10, 'lookup')).toEqual({ count: 0, ids: [] })
  })

  test('those of a model are known by number only', () => {
    expect(draftsFor(request({}, [9, 8]), 3, 'model')).toEqual({ count: 3, ids: null })
  })
})
