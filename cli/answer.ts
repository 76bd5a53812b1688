/** Follows one answer: hands its text on as it comes and measures it. */
import type { FinishReason, Generation, Usage } from '../engine/api.ts'

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
  generation: Generation,
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
    answered.firstToken ||= performance.now() - started
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

/** `12 prompt tokens · 45 tokens in 2.1 s · 21.3 tokens/s · first after 210 ms · stop`. */
export function statsLine(answered: Answered): string {
  const { usage, firstToken, total, finishReason } = answered
  const rate = decodeRate(answered)
  return [
    `${usage?.promptTokens ?? 0} prompt tokens`,
    `${usage?.completionTokens ?? 0} tokens in ${(total / 1000).toFixed(1)} s`,
    ...(rate === null ? [] : [`${rate.toFixed(1)} tokens/s`]),
    `first after ${Math.round(firstToken)} ms`,
    finishReason ?? 'cut off',
  ].join(' · ')
}
