/** How far a model's positions go. */
import type { DecoderConfig } from './config.ts'

/**
 * Most tokens a sequence may hold: `max_position_embeddings`, or what yarn stretches the original context to where that is
 * more. Qwen2.5 states its rotation so and leaves `max_position_embeddings` as it was; vLLM reckons alike.
 */
export function longestContext({ contextLength, attention }: DecoderConfig): number {
  const reaches = attention.map(({ rotary }) =>
    rotary?.kind === 'yarn'
      ? Math.floor(rotary.originalContextLength * rotary.factor)
      : contextLength,
  )
  return Math.max(contextLength, Math.min(...reaches))
}
