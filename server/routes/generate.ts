/** `POST /generate`, whole and streamed. */
import type { z } from '@hono/zod-openapi'
import type { Chunk, GenerateResult } from '../../engine/api.ts'
import { type GenerateFrame, type GenerateResponse, generateRequest } from '../contract/generate.ts'
import { wireUsage } from '../contract/usage.ts'
import type { Lease } from '../models/served-model.ts'
import { admit } from './admit.ts'
import { answerStream, answerWhole, type Start } from './answer.ts'
import type { Deps, RequestContext } from './env.ts'
import { askedOptions } from './options.ts'

export const generate = (c: RequestContext, deps: Deps): Promise<Response> =>
  admit(c, deps, generateRequest, (lease, body, now) => answer(c, now, lease, body))

async function answer(
  c: RequestContext,
  deps: Deps,
  lease: Lease,
  body: z.output<typeof generateRequest>,
): Promise<Response> {
  const { engine } = lease
  const options = askedOptions(engine, c.var.caller, body, body.stop_sequences ?? [], c.var.dialect)
  const start: Start = (control) => engine.generate(body.prompt, { ...options, ...control })
  const lead = body.return_full_text ? body.prompt : ''
  if (body.stream) {
    return answerStream(c, deps, lease, start, generateFrames(lead))
  }
  const result = await answerWhole(c, deps, lease, start)
  return c.json(wholeAnswer(result, lead, engine.info.id))
}

function wholeAnswer(result: GenerateResult, lead: string, model: string): GenerateResponse {
  return {
    generated_text: lead + result.text,
    tokens_generated: result.usage.completionTokens,
    generation_time: Math.round(result.timings.total) / 1000,
    model_version: model,
    finish_reason: result.finishReason,
    usage: wireUsage(result.usage),
  }
}

/**
 * Frames of the contract. A chunk whose text is still held back makes none: its tokens count into the next one, whose
 * index is that of its last token. The index rises even when the end brings no token of its own.
 * @param lead text that goes before the first token (`return_full_text`)
 */
export function generateFrames(lead: string): (chunk: Chunk) => GenerateFrame[] {
  let last = -1
  let pending = lead
  return ({ text, tokens, finishReason, usage }) => {
    if (text === '' && finishReason === null) return []
    last = Math.max(last + 1, tokens - 1)
    const frame: GenerateFrame = { token: pending + text, index: last }
    pending = ''
    if (finishReason !== null) frame.finish_reason = finishReason
    if (usage !== null) frame.usage = wireUsage(usage)
    return [frame]
  }
}
