/** `POST /chat/completions` and `/v1/chat/completions`, whole and streamed. */
import type { Chunk, GenerateResult } from '../../engine/api.ts'
import {
  type ChatChunk,
  type ChatRequest,
  type ChatResponse,
  chatMessages,
  chatRequest,
} from '../contract/chat.ts'
import { ApiError } from '../contract/errors.ts'
import { generateOptions } from '../contract/sampling.ts'
import { wireUsage } from '../contract/usage.ts'
import { answerId } from '../request-id.ts'
import { answerStream, answerWhole, type Start } from './answer.ts'
import { admit, type Deps, type RequestContext } from './env.ts'
import { type Heading, newHeading, stopStrings } from './openai.ts'

export async function chat(c: RequestContext, deps: Deps): Promise<Response> {
  const { engine, body } = await admit(c, deps, chatRequest)
  const wire = { ...body, max_tokens: maxTokens(body) }
  const options = generateOptions(wire, stopStrings(body.stop), c.var.dialect, engine.defaults)
  const messages = chatMessages(body.messages)
  const start: Start = (control) => engine.chat(messages, { ...options, ...control })
  const heading = newHeading(answerId('chatcmpl'), engine.info.id)
  if (body.stream) {
    const wantsUsage = body.stream_options?.include_usage === true
    return answerStream(c, deps, engine.info.id, start, (chunks) =>
      chatChunks(chunks, heading, wantsUsage),
    )
  }
  const result = await answerWhole(c, deps, engine.info.id, start)
  return c.json(wholeAnswer(result, heading))
}

/** OpenAI renamed the field; clients send either, and both only when they agree. */
function maxTokens(body: ChatRequest): number | null {
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

function wholeAnswer(result: GenerateResult, heading: Heading): ChatResponse {
  return {
    ...heading,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: result.text, refusal: null },
        logprobs: null,
        finish_reason: result.finishReason,
      },
    ],
    usage: wireUsage(result.usage),
  }
}

/**
 * Chunks as OpenAI sends them: the role first, then text, then an empty delta with the finish reason; with
 * `include_usage` every chunk has `usage: null` and a last one, without choices, the counts.
 */
async function* chatChunks(
  chunks: AsyncIterable<Chunk>,
  heading: Heading,
  wantsUsage: boolean,
): AsyncGenerator<ChatChunk, void> {
  const base = {
    ...heading,
    object: 'chat.completion.chunk' as const,
    ...(wantsUsage ? { usage: null } : {}),
  }
  type Choice = ChatChunk['choices'][number]
  const chunkOf = (delta: Choice['delta'], finish_reason: Choice['finish_reason']): ChatChunk => ({
    ...base,
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
  })
  let opened = false
  for await (const { text, finishReason, usage } of chunks) {
    if (!opened) yield chunkOf({ role: 'assistant', content: '' }, null)
    opened = true
    if (text !== '') yield chunkOf({ content: text }, null)
    if (finishReason !== null) yield chunkOf({}, finishReason)
    if (usage !== null && wantsUsage) yield { ...base, choices: [], usage: wireUsage(usage) }
  }
}
