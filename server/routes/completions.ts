/** `POST /v1/completions`, whole and streamed. */
import type { Chunk } from '../../engine/api.ts'
import {
  COMPLETION_MAX_TOKENS,
  type CompletionResponse,
  completionRequest,
  singlePrompt,
} from '../contract/completions.ts'
import { generateOptions } from '../contract/sampling.ts'
import { wireUsage } from '../contract/usage.ts'
import { answerId } from '../request-id.ts'
import { answerStream, answerWhole, type Start } from './answer.ts'
import { admit, checkIds, type Deps, type RequestContext } from './env.ts'
import { type Heading, newHeading, stopStrings } from './openai.ts'

export async function completions(c: RequestContext, deps: Deps): Promise<Response> {
  const { engine, body } = await admit(c, deps, completionRequest)
  const prompt = singlePrompt(body.prompt)
  if (typeof prompt !== 'string') checkIds(engine, prompt, 'prompt')
  const wire = { ...body, max_tokens: body.max_tokens ?? COMPLETION_MAX_TOKENS }
  const options = generateOptions(wire, stopStrings(body.stop), c.var.dialect, engine.defaults)
  const start: Start = (control) => engine.generate(prompt, { ...options, ...control })
  const heading = newHeading(answerId('cmpl'), engine.info.id)
  if (body.stream) {
    const wantsUsage = body.stream_options?.include_usage === true
    return answerStream(c, deps, engine.info.id, start, (chunks) =>
      completionChunks(chunks, heading, wantsUsage),
    )
  }
  const { text, finishReason, usage } = await answerWhole(c, deps, engine.info.id, start)
  const whole: CompletionResponse = {
    ...heading,
    object: 'text_completion',
    choices: [{ index: 0, text, logprobs: null, finish_reason: finishReason }],
    usage: wireUsage(usage),
  }
  return c.json(whole)
}

async function* completionChunks(
  chunks: AsyncIterable<Chunk>,
  heading: Heading,
  wantsUsage: boolean,
): AsyncGenerator<CompletionResponse, void> {
  const base = {
    ...heading,
    object: 'text_completion' as const,
    ...(wantsUsage ? { usage: null } : {}),
  }
  for await (const { text, finishReason, usage } of chunks) {
    if (text !== '' || finishReason !== null) {
      const choice = { index: 0, text, logprobs: null, finish_reason: finishReason }
      yield { ...base, choices: [choice] }
    }
    if (usage !== null && wantsUsage) yield { ...base, choices: [], usage: wireUsage(usage) }
  }
}
