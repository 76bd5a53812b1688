/** An answer as it comes: `/v1/chat/completions`, streamed. */
import { call } from './api.js'
import { createParser } from './lib/eventsource-parser.js'
import { brokenOff, refusalInStream, Trouble } from './trouble.js'

/** @typedef {{ token: string, logprob: number }} Alternative */
/** @typedef {Alternative & { top_logprobs: Alternative[] }} Token */
/**
 * @typedef {object} Usage
 * @property {number} prompt_tokens
 * @property {number} completion_tokens
 * @property {{ cached_tokens: number }} prompt_tokens_details
 */
/** @typedef {{ text: string, tokens: Token[], finish: string | null, usage: Usage | null }} Piece */

/** The server breaks its silence every 8 seconds. */
const LONGEST_SILENCE_MS = 30_000

/**
 * @param {object} body
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Piece, void>}
 * @throws {Trouble} when it is refused, fails or breaks off
 */
export async function* streamChat(body, signal) {
  const response = await call('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
    signal,
  })
  if (!response.body) throw brokenOff()
  for await (const data of eventsOf(response.body, signal)) {
    if (data === '[DONE]') return
    yield pieceOf(JSON.parse(data))
  }
  throw brokenOff()
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<string, void>}
 */
async function* eventsOf(body, signal) {
  /** @type {string[]} */
  const events = []
  const parser = createParser({ onEvent: ({ data }) => events.push(data) })
  const reader = body.getReader()
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const { done, value } = await soon(reader)
      if (done) return
      parser.feed(decoder.decode(value, { stream: true }))
      yield* events.splice(0)
    }
  } catch (error) {
    throw signal.aborted || error instanceof Trouble ? error : brokenOff()
  } finally {
    // Whoever leaves early wants no more of it; one that has failed cannot be cancelled.
    reader.cancel().catch(() => undefined)
  }
}

/** @param {ReadableStreamDefaultReader<Uint8Array>} reader */
async function soon(reader) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(brokenOff()), LONGEST_SILENCE_MS)
  })
  try {
    return await /** @type {ReturnType<typeof reader.read>} */ (
      Promise.race([reader.read(), silence])
    )
  } finally {
    clearTimeout(timer)
  }
}

/** @param {any} chunk @returns {Piece} */
function pieceOf(chunk) {
  if (chunk.error) throw refusalInStream(chunk.error)
  const [choice] = chunk.choices
  return {
    text: choice?.delta.content ?? '',
    tokens: choice?.logprobs?.content ?? [],
    finish: choice?.finish_reason ?? null,
    usage: chunk.usage ?? null,
  }
}
