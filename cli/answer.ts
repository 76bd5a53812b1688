/** Follows one answer: hands its text on as it comes and measures it. */
import type { FinishReason, GenerateOptions, Usage } from '../engine/api.ts'
import type { Piece } from './backend/backend.ts'

export interface Answered {
  text: string
  usage: Usage | null
  finishReason: FinishReason | null
  /** Milliseconds as the user saw them. */
  firstToken: number
  total: number
}

/** Consumes a generation; `onText` gets each piece of text and may slow it down. */
export async function follow(
  generation: AsyncIterable<Piece>,
  onText: (text: string) => Promise<void> | void,
): Promise<Answered> {
  const started = performance.now()
  const answered: Answered = {
    text: '',
    usage: null,
    finishReason: null,
    firstToken: 0,
    total: 0,
  }
  for await (const chunk of generation) {
    // A server's first event may be an empty one, long before there is a token.
    if (chunk.text !== '' || chunk.finishReason) answered.firstToken ||= performance.now() - started
    answered.text += chunk.text
    if (chunk.text) await onText(chunk.text)
    answered.usage = chunk.usage ?? answered.usage
    answered.finishReason = chunk.finishReason ?? answered.finishReason
  }
  answered.total = performance.now() - started
  return answered
}

/** Tokens a second after the first token; `null` where there was no second. */
export function decodeRate({ usage, firstToken, total }: Answered): number | null {
  const later = (usage?.completionTokens ?? 0) - 1
  return later > 0 && total > firstToken ? (1000 * later) / (total - firstToken) : null
}

/** `12 prompt tokens (8 cached) · 45 tokens in 2.1 s · 21.3 tokens/s · first after 210 ms · stop`. */
export function statsLine(answered: Answered): string {
  const { usage, firstToken, total, finishReason } = answered
  const rate = decodeRate(answered)
  const seconds = `${(total / 1000).toFixed(1)} s`
  return [
    ...(usage ? [`${usage.promptTokens} prompt tokens (${usage.cachedTokens} cached)`] : []),
    usage ? `${usage.completionTokens} tokens in ${seconds}` : seconds,
    ...(rate === null ? [] : [`${rate.toFixed(1)} tokens/s`]),
    `first after ${Math.round(firstToken)} ms`,
    finishReason ?? 'cut off',
  ].join(' · ')
}

/** An answer as `--json` prints it. */
export function answerReport(
  model: string | null,
  answered: Answered,
  options: GenerateOptions,
): object {
  const { text, usage, finishReason } = answered
  return {
    model,
    text,
    finish_reason: finishReason,
    usage: usage && {
      prompt_tokens: usage.promptTokens,
      completion_tokens: usage.completionTokens,
      total_tokens: usage.totalTokens,
      prompt_tokens_details: { cached_tokens: usage.cachedTokens },
    },
    seed: options.seed ?? null,
    timings: {
      first_token_ms: Math.round(answered.firstToken),
      total_ms: Math.round(answered.total),
      tokens_per_second: decodeRate(answered),
    },
  }
}
