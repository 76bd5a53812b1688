/** Whatever is asked for: what a stream tells, put together, is what the whole answer says. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { frames, json, testApp } from '../../test/server-app.ts'
import type { ChatChunk, ChatResponse } from '../contract/chat.ts'
import type { CompletionResponse } from '../contract/completions.ts'
import { FIRST_WORD } from '../fake-engine.ts'

const words = fc.array(fc.string({ unit: 'grapheme', maxLength: 4 }), {
  minLength: 1,
  maxLength: 6,
})

const asked = fc.record(
  {
    n: fc.integer({ min: 1, max: 4 }),
    max_tokens: fc.integer({ min: 1, max: 8 }),
    stop: fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 2 }), { maxLength: 3 }),
    stop_token_ids: fc.array(fc.integer({ min: FIRST_WORD, max: FIRST_WORD }), { maxLength: 1 }),
    logit_bias: fc.constantFrom({}, { [FIRST_WORD]: -100 }, { [FIRST_WORD]: 100 }),
    ignore_eos: fc.boolean(),
  },
  { requiredKeys: ['max_tokens'] },
)

const usage = { stream: true, stream_options: { include_usage: true } }

test('chat, with log-probabilities', async () => {
  const logprobs = fc.record({ logprobs: fc.constant(true), top_logprobs: fc.nat(5) })
  await fc.assert(
    fc.asyncProperty(words, asked, fc.oneof(logprobs, fc.constant({})), async (said, more, log) => {
      const { post } = testApp({ words: said })
      const body = { messages: [{ role: 'user', content: 'x' }], ...more, ...log }
      const whole = await json<ChatResponse>(await post('/v1/chat/completions', body))
      const all = await frames(await post('/v1/chat/completions', { ...body, ...usage }))
      expect(all.pop()).toBe('[DONE]')
      expect((all.pop() as ChatChunk).usage).toEqual(whole.usage)
      const pieces = (all as ChatChunk[]).flatMap(({ choices }) => choices)
      const told = whole.choices.map(({ index }) => {
        const own = pieces.filter((piece) => piece.index === index)
        const content = own.map(({ delta }) => delta.content ?? '').join('')
        const tokens = own.flatMap((piece) => piece.logprobs?.content ?? [])
        return {
          index,
          message: { role: own[0]?.delta.role, content, refusal: null },
          logprobs: 'logprobs' in body ? { content: tokens, refusal: null } : null,
          finish_reason: own.at(-1)?.finish_reason,
        }
      })
      expect(told).toEqual(whole.choices)
    }),
    { numRuns: 200 },
  )
})

test('completions of several prompts', async () => {
  const prompt = fc.oneof(
    fc.array(fc.string({ minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 }),
    fc.array(fc.array(fc.nat(1000), { minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 5,
    }),
  )
  await fc.assert(
    fc.asyncProperty(words, asked, prompt, async (said, more, prompts) => {
      const { post } = testApp({ words: said })
      const body = { prompt: prompts, ...more }
      const whole = await json<CompletionResponse>(await post('/v1/completions', body))
      const all = await frames(await post('/v1/completions', { ...body, ...usage }))
      expect(all.pop()).toBe('[DONE]')
      expect((all.pop() as CompletionResponse).usage).toEqual(whole.usage)
      const pieces = (all as CompletionResponse[]).flatMap(({ choices }) => choices)
      const told = whole.choices.map(({ index }) => {
        const own = pieces.filter((piece) => piece.index === index)
        const text = own.map((piece) => piece.text).join('')
        return { index, text, logprobs: null, finish_reason: own.at(-1)?.finish_reason }
      })
      expect(told).toEqual(whole.choices)
      expect(whole.choices.map(({ index }) => index)).toEqual([...whole.choices.keys()])
      expect(whole.choices).toHaveLength(prompts.length * (more.n ?? 1))
    }),
    { numRuns: 200 },
  )
})
