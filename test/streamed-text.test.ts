/**
 * What is streamed, put together, is the text of all tokens at once, cut before the first stop string: whatever the
 * tokens cut through. Some cases by default; `CASES=100000 npm test -- --project pure test/streamed-text` for all that
 * are wanted (and a hundredth of them over real SSE).
 */
import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChoiceStream } from '../engine/choice.ts'
import type { ChatChunk } from '../server/contract/chat.ts'
import type { CompletionResponse } from '../server/contract/completions.ts'
import type { GenerateFrame } from '../server/contract/generate.ts'
import { type RunningServer, serve } from '../server/serve.ts'
import { Detokenizer } from '../tokenizer/detokenizer.ts'
import { playScript, type Script, ScriptedEngine } from './scripted-engine.ts'
import { frames, json } from './server-app.ts'
import { cutAt, type TokenStream, textOf, tokenStreams } from './token-streams.ts'

const CASES = Number(process.env.CASES ?? 3000)
const TIME = 60_000 + CASES * 10
const scripts = fc
  .record({
    stream: tokenStreams,
    turns: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
    ending: fc.constantFrom<Script['ending']>('stop', 'length'),
    n: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ stream, turns, ending, n }) => {
    const { tokenizer, ids, stop, meanings, family } = stream
    const { text, stopped } = cutAt(textOf(meanings, family), stop)
    const reason = stopped ? 'stop' : ending
    return { script: { tokenizer, ids, turns, ending }, stop, n, text, reason, stream }
  })

/** Text as it came: nobody must ever see half a character. */
function putTogether(pieces: readonly string[]): string {
  for (const piece of pieces) expect(piece).not.toMatch(/\p{Surrogate}/u)
  return pieces.join('')
}

test('through the engine’s own way from ids to chunks', { timeout: TIME }, async () => {
  let stopped = 0
  await fc.assert(
    fc.asyncProperty(scripts, async ({ script, stop, n, text, reason }) => {
      const generation = playScript(script, { stop, n })
      const pieces = Array.from({ length: n }, () => ({ texts: [''], ids: [0], reason: '' }))
      for await (const chunk of generation) {
        const own = pieces[chunk.index]
        own?.texts.push(chunk.text)
        own?.ids.push(...chunk.ids)
        if (own && chunk.finishReason) own.reason += chunk.finishReason
      }
      const { choices } = await generation.result()
      for (const [index, { texts, ids, reason: told }] of pieces.entries()) {
        expect(putTogether(texts)).toBe(text)
        expect(told).toBe(reason)
        expect(choices[index]).toMatchObject({ text, finishReason: reason, ids: ids.slice(1) })
        expect(script.ids.slice(0, ids.length - 1)).toEqual(ids.slice(1))
      }
      if (reason === 'stop' && script.ending === 'length') stopped++
    }),
    { numRuns: CASES },
  )
  // Enough of them met a stop string.
  expect(stopped).toBeGreaterThan(CASES / 20)
})

/** The longest text that later tokens cannot take back: no open character, no beginning of a stop string. */
function certain({ meanings, family, stop }: TokenStream, tokens: number): string {
  const shown = meanings.slice(0, tokens)
  if (family !== 'metaspace') {
    let bytes = Buffer.concat(shown.filter((each) => each !== null))
    while (!isUtf8(bytes)) bytes = bytes.subarray(0, -1)
    shown.splice(0, tokens, bytes)
  }
  const { text, stopped } = cutAt(textOf(shown, family), stop)
  if (stopped) return text
  for (let held = text.length; held > 0; held--) {
    const end = text.slice(-held)
    if (stop.some((each) => each.length > held && each.startsWith(end))) return text.slice(0, -held)
  }
  return text
}

test('and nothing that is certain is held back', { timeout: TIME }, () => {
  const valid = tokenStreams.filter(({ meanings }) =>
    isUtf8(Buffer.concat(meanings.filter((each) => each !== null))),
  )
  fc.assert(
    fc.property(valid, (stream) => {
      const detokenizer = new Detokenizer(stream.tokenizer, { stop: stream.stop })
      const choice = new ChoiceStream(0, detokenizer, false)
      let shown = ''
      for (const [at, id] of stream.ids.entries()) {
        if (choice.isStopped) break
        shown += choice.push(id, null)?.text ?? ''
        expect(shown).toBe(certain(stream, at + 1))
      }
    }),
    { numRuns: Math.ceil(CASES / 2) },
  )
})

const engine = new ScriptedEngine()
let server: RunningServer

beforeAll(async () => {
  server = await serve({ port: 0, load: async () => engine, log: () => undefined })
  await server.ready
})
afterAll(() => server.close())

async function post(path: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  const init = { method: 'POST', headers, body: JSON.stringify({ max_tokens: 1000, ...body }) }
  const response = await fetch(`${server.url}${path}`, init)
  expect(response.status).toBe(200)
  return response
}

/** What one choice of a stream said, and why it ended. */
async function streamed<Frame>(
  path: string,
  body: object,
  read: (frame: Frame) => { index: number; text: string; reason: string | null }[],
): Promise<{ text: string; reason: string }[]> {
  const all = await frames(await post(path, { ...body, stream: true }))
  expect(all.pop()).toBe('[DONE]')
  const said: { pieces: string[]; reason: string }[] = []
  for (const { index, text, reason } of (all as Frame[]).flatMap(read)) {
    said[index] ??= { pieces: [], reason: '' }
    said[index].pieces.push(text)
    said[index].reason += reason ?? ''
  }
  return said.map(({ pieces, reason }) => ({ text: putTogether(pieces), reason }))
}

const chat = (n: number, stop: readonly string[]) => ({
  messages: [{ role: 'user', content: 'x' }],
  ...(stop.length > 0 ? { stop } : {}),
  n,
})

test('over server-sent events, on all endpoints', { timeout: TIME }, async () => {
  await fc.assert(
    fc.asyncProperty(scripts, async ({ script, stop, n, text, reason }) => {
      engine.script = script
      const want = Array.from({ length: n }, () => ({ text, reason }))
      const chats = await streamed<ChatChunk>(
        '/v1/chat/completions',
        chat(n, stop),
        ({ choices }) =>
          choices.map((one) => ({
            index: one.index,
            text: one.delta.content ?? '',
            reason: one.finish_reason,
          })),
      )
      expect(chats).toEqual(want)
      const texts = await streamed<CompletionResponse>(
        '/v1/completions',
        { prompt: 'x', n, stop },
        ({ choices }) =>
          choices.map((one) => ({ index: one.index, text: one.text, reason: one.finish_reason })),
      )
      expect(texts).toEqual(want)
      const tokens = await streamed<GenerateFrame>(
        '/generate',
        { prompt: 'x', stop_sequences: stop },
        ({ token, finish_reason }) => [{ index: 0, text: token, reason: finish_reason ?? null }],
      )
      expect(tokens).toEqual(want.slice(0, 1))
      const whole = await json<{ generated_text: string; finish_reason: string }>(
        await post('/generate', { prompt: 'x', stop_sequences: stop }),
      )
      expect([whole.generated_text, whole.finish_reason]).toEqual([text, reason])
    }),
    { numRuns: Math.ceil(CASES / 100) },
  )
})
