/**
 * How well a model foretells a text: the perplexity over windows that overlap, so that every token is scored once and
 * after enough of what stands before it (as in Hugging Face's "Perplexity of fixed-length models").
 */
import { EngineError } from '../../engine/errors.ts'
import type { CliEngine } from '../open-engine.ts'

export interface PerplexityOptions {
  /** Tokens that the model sees at once. */
  readonly window: number
  /** Tokens by which the window moves: those that each but the first one scores. */
  readonly stride: number
  /** Hears how many tokens were scored. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface Perplexity {
  /** Scored: all but the first. */
  readonly tokens: number
  /** Mean negative log-probability of a token, in nats. */
  readonly loss: number
  /** `exp(loss)`. */
  readonly perplexity: number
}

/** @throws EngineError `bad_request` for a text of fewer than two tokens */
export async function perplexityOf(
  engine: Pick<CliEngine, 'logits'>,
  ids: readonly number[],
  { window, stride, onProgress }: PerplexityOptions,
): Promise<Perplexity> {
  const total = ids.length - 1
  if (total < 1) {
    throw new EngineError(
      'bad_request',
      'The text has fewer than two tokens: there is nothing to foretell.',
    )
  }
  let sum = 0
  let scored = 0
  for (let begin = 0; scored < total; begin += stride) {
    const seen = ids.slice(begin, begin + window)
    const { all } = await engine.logits(seen, { all: true })
    if (!all) throw new EngineError('gpu', 'The engine gave no logits.')
    // The row at a place foretells the next one.
    for (let at = scored - begin; at < seen.length - 1; at++) {
      sum -= logprobOf(all[at] as Float32Array, seen[at + 1] as number)
      scored++
    }
    onProgress?.(scored, total)
  }
  const loss = sum / scored
  return { tokens: scored, loss, perplexity: Math.exp(loss) }
}

/** Of an id, by its row of logits, in float64. */
function logprobOf(row: Float32Array, id: number): number {
  let most = Number.NEGATIVE_INFINITY
  for (const logit of row) most = Math.max(most, logit)
  let sum = 0
  for (const logit of row) sum += Math.exp(logit - most)
  const logprob = (row[id] ?? Number.NaN) - most - Math.log(sum)
  if (Number.isFinite(logprob)) return logprob
  throw new EngineError(
    'gpu',
    `The log-probability of token ${id} is ${logprob}; a kernel is at fault.`,
  )
}
