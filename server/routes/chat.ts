/** `POST /chat/completions` and `/v1/chat/completions`, whole and streamed. */
import type { Chunk, GenerateResult } from '../../engine/api.ts'
import {
  type ChatChunk,
  type ChatRequest,
  type ChatResponse,
  chatMessages,
  chatRequest,
  templateOptions,
} from '../contract/chat.ts'
import { ApiError } from '../contract/errors.ts'
import { wireLogprobs } from '../contract/logprobs.ts'
import type { ServedEngine } from '../contract/served-engine.ts'
import { wireUsage } from '../contract/usage.ts'
import type { Lease } from '../models/served-model.ts'
import { answerId } from '../request-id.ts'
import { admit } from './admit.ts'
import { answerStream, answerWhole, type Start } from './answer.ts'
import type { Deps, RequestContext } from './env.ts'
import { type Heading, newHeading, stopStrings } from './openai.ts'
import { askedOptions } from './options.ts'

export const chat = (c: RequestContext, deps: Deps): Promise<Response> =>
  admit(c, deps, chatRequest, (lease, body, now) => answerChat(c, now, lease, body))

async function answerChat(
  c: RequestContext,
  deps: Deps,
  lease: Lease,
  body: ChatRequest,
): Promise<Response> {
  const { engine } = lease
  const wire = { ...body, max_tokens: maxTokens(body) }
  const options = {
    ...askedOptions(engine, c.var.caller, wire, stopStrings(body.stop), c.var.dialect),
    ...templateOptions(body),
  }
  const messages = chatMessages(body.messages)
  const start: Start = (control) => engine.chat(messages, { ...options, ...control })
  const heading = newHeading(answerId('chatcmpl'), engine.info.id)
  c.set('responseId', heading.id)
  if (body.stream) {
    const wantsUsage = body.stream_options?.include_usage === true
    const streaming = { heading, engine, choices: body.n ?? 1, wantsUsage }
    return answerStream(c, deps, lease, start, chatChunks(streaming))
  }
  const result = await answerWhole(c, deps, lease, start)
  return c.json(wholeAnswer(result, heading, engine))
}

/** OpenAI renamed the field; clients send either, and both only when they agree. */
export function maxTokens(body: ChatRequest): number | null {
  const { max_tokens: older, max_completion_tokens: newer } = body
  if (typeof older === 'number' && typeof newer === 'number' && older !== newer) {
    throw new ApiError(
      'bad_request',
      `The parameters 'max_tokens' (${older}) and 'max_completion_tokens' (${newer}) disagree; send one.`,
      'max_completion_tokens',
    )
  }
  return newer ?? older ?? null
}

function wholeAnswer(result: GenerateResult, heading: Heading, engine: ServedEngine): ChatResponse {
  return {
    ...heading,
    object: 'chat.completion',
    choices: result.choices.map(({ index, text, logprobs, finishReason }) => ({
      index,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: wireLogprobs(logprobs, engine, true),
      finish_reason: finishReason,
    })),
    usage: wireUsage(result.usage),
  }
}

interface Streaming {
  readonly heading: Heading
  readonly engine: ServedEngine
  readonly choices: number
  readonly wantsUsage: boolean
}

type StreamedChoice = ChatChunk['choices'][number]

/**
 * Chunks as OpenAI sends them: every choice's role first, then text, then for each choice an empty delta with the finish
 * reason; with `include_usage` every chunk has `usage: null` and a last one, without choices, the counts. Tokens whose
 * text is part of a stop string, and so never told, still have log-probabilities: their delta's text is empty.
 */
function chatChunks({
  heading,
  engine,
  choices,
  wantsUsage,
}: Streaming): (chunk: Chunk) => Iterable<ChatChunk> {
  const base = {
    ...heading,
    object: 'chat.completion.chunk' as const,
    ...(wantsUsage ? { usage: null } : {}),
  }
  const chunkOf = (
    index: number,
    delta: StreamedChoice['delta'],
    rest: Partial<StreamedChoice> = {},
  ): ChatChunk => ({
    ...base,
    choices: [{ index, delta, logprobs: null, finish_reason: null, ...rest }],
  })
  let opened = false
  return function* ({ index, text, ids, tokens, logprobs, finishReason, usage }) {
    if (!opened) {
      for (let choice = 0; choice < choices; choice++) {
        yield chunkOf(choice, { role: 'assistant', content: '' })
      }
    }
    opened = true
    if (text !== '' || logprobs?.length) {
      const wire = wireLogprobs(logprobs, engine, tokens === ids.length)
      yield chunkOf(index, { content: text }, { logprobs: wire })
    }
    if (finishReason !== null) yield chunkOf(index, {}, { finish_reason: finishReason })
    if (usage !== null && wantsUsage) yield { ...base, choices: [], usage: wireUsage(usage) }
  }
}
