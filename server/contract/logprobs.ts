/** Log-probabilities as OpenAI tells them: tokens as text, and as bytes where they are whole characters. */
import { z } from '@hono/zod-openapi'
import type { TokenLogprob } from '../../engine/api.ts'
import type { ServedEngine } from './served-engine.ts'

/** OpenAI's limit. */
export const MAX_TOP_LOGPROBS = 20

const told = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z
    .array(z.number().int())
    .nullable()
    .describe('UTF-8 of the token; null where it is only a part of a character.'),
})

export const tokenLogprobs = z
  .object({
    content: z.array(told.extend({ top_logprobs: z.array(told) })),
    refusal: z.null(),
  })
  .openapi('TokenLogprobs')

export type TokenLogprobs = z.infer<typeof tokenLogprobs>

interface TokenText {
  readonly token: string
  readonly bytes: number[] | null
}

type Detokenizer = Pick<ServedEngine, 'detokenize'>

/** What the tokenizer gives for bytes that are no character. */
const BROKEN = '\ufffd'

/** What OpenAI writes for a token that could not be less likely; JSON has no infinity. */
const LEAST_LOGPROB = -9999

/** Texts of single tokens, found once: the same few come again and again. */
const KNOWN = new WeakMap<Detokenizer, Map<number, TokenText>>()

/** One choice's log-probabilities; null when they were not asked for. */
export function wireLogprobs(
  logprobs: readonly TokenLogprob[] | null,
  engine: Detokenizer,
): TokenLogprobs | null {
  if (logprobs === null) return null
  const wire = ({ id, logprob }: { id: number; logprob: number }) => {
    const { token, bytes } = tokenText(engine, id)
    return { token, logprob: Number.isFinite(logprob) ? logprob : LEAST_LOGPROB, bytes }
  }
  const content = logprobs.map((one) => ({ ...wire(one), top_logprobs: one.top.map(wire) }))
  return { content, refusal: null }
}

function tokenText(engine: Detokenizer, id: number): TokenText {
  let known = KNOWN.get(engine)
  if (!known) {
    known = new Map()
    KNOWN.set(engine, known)
  }
  let text = known.get(id)
  if (!text) {
    const token = textWithin(engine, id)
    text = { token, bytes: token.includes(BROKEN) ? null : [...Buffer.from(token)] }
    known.set(id, text)
  }
  return text
}

/**
 * The text of a token in the middle of an answer. Some tokenizers drop the space before a text's first word: the
 * second of two still has it.
 */
function textWithin(engine: Detokenizer, id: number): string {
  const alone = engine.detokenize([id])
  const twice = engine.detokenize([id, id])
  return twice.startsWith(alone) ? twice.slice(alone.length) : alone
}
