/** What a backlog promises: nothing lost, doubled or reordered, whatever the reader's pace; and an end to what it holds. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Chunk } from '../engine/api.ts'
import { Backlog } from './backlog.ts'

const chunk = (index: number, tokens: number, text: string, isLast = false): Chunk => ({
  index,
  text,
  ids: [tokens],
  logprobs: [{ id: tokens, logprob: -1, top: [] }],
  tokens,
  finishReason: isLast ? 'stop' : null,
  usage: null,
})

/** Chunks that are there at once, as from an engine that has run ahead. */
async function* given(chunks: readonly Chunk[]): AsyncGenerator<Chunk, void> {
  yield* chunks
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('chunks come through as they are while the reader keeps up', async () => {
  const chunks = Array.from({ length: 200 }, (_, i) => chunk(0, i + 1, `${i} `, i === 199))
  const seen: Chunk[] = []
  async function* slow() {
    for (const one of chunks) {
      await turn()
      yield one
    }
  }
  for await (const one of new Backlog(slow())) seen.push(one)
  expect(seen).toEqual(chunks)
})

test('what waits is joined, choice by choice, and nothing of it is lost', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat({ max: 3 }), fc.string({ maxLength: 4 })), { maxLength: 300 }),
      fc.array(fc.nat({ max: 3 }), { maxLength: 20 }),
      async (pieces, pauses) => {
        const counts = [0, 0, 0, 0]
        const count = (index: number) => (counts[index] = (counts[index] ?? 0) + 1)
        const chunks = pieces.map(([index, text]) => chunk(index, count(index), text))
        const last = [0, 1, 2, 3].map((index) => chunk(index, count(index), '.', true))
        const texts = ['', '', '', '']
        const ids: number[][] = [[], [], [], []]
        const ended: number[] = []
        for await (const one of new Backlog(given([...chunks, ...last]))) {
          expect(ended).not.toContain(one.index)
          texts[one.index] += one.text
          ids[one.index]?.push(...one.ids)
          expect(one.logprobs).toHaveLength(one.ids.length)
          expect(one.tokens).toBe(ids[one.index]?.length)
          if (one.finishReason) ended.push(one.index)
          for (let i = pauses.shift() ?? 0; i > 0; i--) await turn()
        }
        const all = [...chunks, ...last]
        for (const index of [0, 1, 2, 3]) {
          const own = all.filter((one) => one.index === index)
          expect(texts[index]).toBe(own.map((one) => one.text).join(''))
          expect(ids[index]).toEqual(own.flatMap((one) => one.ids))
        }
        expect(ended).toEqual([0, 1, 2, 3])
      },
    ),
    { numRuns: 60 },
  )
})

test('a reader that stops: few objects wait, then no more bytes than allowed, and the source is let go', async () => {
  let made = 0
  let left = false
  async function* endless() {
    try {
      for (;;) {
        made++
        yield chunk(0, made, 'ab')
      }
    } finally {
      left = true
    }
  }
  const chunks = new Backlog(endless(), undefined, 10_000)
  await chunks.next()
  await expect.poll(() => left).toBe(true)
  expect(made).toBeLessThan(10_000 / 64)
  await expect(chunks.next()).rejects.toMatchObject({ code: 'reader_too_slow' })
})

test('an error comes after all that was told before it', async () => {
  const error = new Error('broken')
  async function* failing() {
    yield chunk(0, 1, 'a')
    yield chunk(0, 2, 'b')
    throw error
  }
  const chunks = new Backlog(failing())
  await chunks.next()
  await turn()
  expect(await chunks.next()).toMatchObject({ value: { text: 'b' } })
  await expect(chunks.next()).rejects.toBe(error)
})

test('leaving lets the source go', async () => {
  let left = false
  async function* watched() {
    try {
      for (let i = 1; ; i++) {
        await turn()
        yield chunk(0, i, 'a')
      }
    } finally {
      left = true
    }
  }
  for await (const _ of new Backlog(watched())) break
  await expect.poll(() => left).toBe(true)
})
