/** Tokens as log-probabilities show them: whatever they are cut from, their bytes put together are the text. */
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { wireLogprobs } from '../server/contract/logprobs.ts'
import { Detokenizer } from '../tokenizer/detokenizer.ts'
import { byteLevelJson, sentencePieceJson } from '../tokenizer/testing.ts'
import { Tokenizer } from '../tokenizer/tokenizer.ts'
import { describeShared } from './shared-folder.ts'

/** An engine, as far as it is asked, over a tokenizer. */
const over = (tokenizer: Tokenizer) => ({
  detokenize: (ids: readonly number[]) => tokenizer.decode([...ids], { skipSpecial: false }),
  tokenBytes: (id: number, first?: boolean) => tokenizer.bytesOf(id, first),
})
const byteLevel = new Tokenizer(byteLevelJson(), {})
const sentencePiece = new Tokenizer(sentencePieceJson(), {})

const tell = (tokenizer: Tokenizer, ids: readonly number[], fromStart = true) =>
  wireLogprobs(
    ids.map((id) => ({ id, logprob: -1, top: [{ id, logprob: -1 }] })),
    over(tokenizer),
    fromStart,
  )?.content ?? []

const joined = (told: ReturnType<typeof tell>): Buffer =>
  Buffer.concat(told.map(({ bytes }) => Buffer.from(bytes ?? [])))

test('an emoji in pieces: each has its bytes, and is written as OpenAI writes it', () => {
  const told = tell(byteLevel, byteLevel.encode('a💡 hello'))
  expect(told.map(({ token, bytes }) => [token, bytes])).toEqual([
    ['a', [97]],
    ['\\xf0\\x9f', [0xf0, 0x9f]],
    ['\\x92', [0x92]],
    ['\\xa1', [0xa1]],
    [' hello', [32, 104, 101, 108, 108, 111]],
  ])
  expect(joined(told).toString('utf8')).toBe('a💡 hello')
  for (const { top_logprobs, logprob, ...own } of told) expect(top_logprobs[0]).toMatchObject(own)
})

test('a token that is in part a character shows that part', () => {
  const half = {
    detokenize: () => '',
    tokenBytes: () => Buffer.from([0x20, 0xc3, 0xa9, 0xf0, 0x41]),
  }
  const told = wireLogprobs([{ id: 0, logprob: -1, top: [] }], half, true)
  expect(told?.content[0]?.token).toBe(' é\\xf0A')
})

test('a text’s first token loses the space that the text has not; the same one later keeps it', () => {
  const [hello = 0] = sentencePiece.encode('hello', { specialTokens: false })
  const [first, second] = tell(sentencePiece, [hello, hello])
  expect([first?.token, second?.token]).toEqual(['hello', ' hello'])
  expect(tell(sentencePiece, [hello], false)[0]?.token).toBe(' hello')
})

test('a control token has a name and no bytes, and leaves the start to the next', () => {
  const [hello = 0] = sentencePiece.encode('hello', { specialTokens: false })
  const told = tell(sentencePiece, [2, hello])
  expect(told.map(({ token, bytes }) => [token, bytes?.length ?? null])).toEqual([
    ['</s>', null],
    ['hello', 5],
  ])
})

const text = fc.string({ unit: 'binary', maxLength: 20 })

test.each([
  ['byte-level', byteLevel],
  ['sentencepiece', sentencePiece],
])('%s: the bytes of all tokens are the text', (_, tokenizer) => {
  const ids = fc.array(fc.nat({ max: tokenizer.vocabularySize - 1 }), { maxLength: 20 })
  const encoded = text.map((each) => tokenizer.encode(each))
  fc.assert(
    fc.property(fc.oneof(ids, encoded), (list) => {
      const detokenizer = new Detokenizer(tokenizer)
      const streamed = list.map((id) => detokenizer.push(id)).join('') + detokenizer.finish()
      expect(joined(tell(tokenizer, list)).toString('utf8')).toBe(streamed)
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(text, (each) => {
      expect(joined(tell(tokenizer, tokenizer.encode(each)))).toEqual(Buffer.from(each))
    }),
    { numRuns: 500 },
  )
})

describeShared('on the real vocabulary', (shared) => {
  test('emoji, combining marks and scripts come back byte by byte', async () => {
    const tokenizer = await Tokenizer.load(join(shared, 'models/smollm2-135m-instruct-4bit'))
    for (const each of ['👩‍👩‍👧‍👦 fam', 'e\u0301 ñ ḍ̇', '日本語テキスト', 'नमस्ते', '🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿']) {
      const told = tell(tokenizer, tokenizer.encode(each))
      expect(joined(told).toString('utf8')).toBe(each)
      expect(told.every(({ bytes }) => bytes !== null)).toBe(true)
    }
    const pieces = tell(tokenizer, tokenizer.encode('🏴󠁧󠁢󠁥󠁮󠁧󠁿')).map(({ token }) => token)
    expect(pieces.some((token) => /^\\x[0-9a-f]{2}/.test(token))).toBe(true)
  })
})
