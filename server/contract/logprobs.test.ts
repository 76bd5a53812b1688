/** Tokens as log-probabilities show them, where a token alone is not what it is in a text. */
import { expect, test } from 'vitest'
import { wireLogprobs } from './logprobs.ts'

/** Tokens are bytes, as in byte-level vocabularies; a text's first space is dropped, as SentencePiece does. */
const engine = {
  detokenize(ids: readonly number[]): string {
    const text = Buffer.concat(ids.map((id) => PIECES[id] ?? Buffer.of())).toString('utf8')
    return text.startsWith(' ') ? text.slice(1) : text
  },
}

const PIECES = [
  Buffer.from(' upon'),
  Buffer.from('é'),
  Buffer.of(0xf0, 0x9f),
  Buffer.of(0x92, 0xa1),
  Buffer.of(0xa9, 0xc3),
  Buffer.from(' '),
]

const tell = (id: number, logprob = -1) =>
  wireLogprobs([{ id, logprob, top: [] }], engine)?.content[0]

test('a token keeps the space that would be dropped at the start of a text', () => {
  expect(tell(0)).toMatchObject({ token: ' upon', bytes: [32, 117, 112, 111, 110] })
  expect(tell(5)).toMatchObject({ token: ' ', bytes: [32] })
})

test('a part of a character has no bytes of its own', () => {
  expect(tell(1)).toMatchObject({ token: 'é', bytes: [0xc3, 0xa9] })
  for (const id of [2, 3, 4]) {
    expect(tell(id)?.token).toContain('\ufffd')
    expect(tell(id)?.bytes).toBeNull()
  }
})

test('an impossible token is -9999, as JSON has no infinity', () => {
  expect(tell(0, -Infinity)?.logprob).toBe(-9999)
})

test('what was not asked for is null', () => {
  expect(wireLogprobs(null, engine)).toBeNull()
})
