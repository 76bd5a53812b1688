/** Log-probabilities as OpenAI tells them: tokens as text, and as the bytes that are theirs, whole characters or not. */
import { isUtf8 } from 'node:buffer'
import { z } from '@hono/zod-openapi'
import type { TokenLogprob } from '../../engine/api.ts'
import type { ServedEngine } from './served-engine.ts'

/** OpenAI's limit. */
export const MAX_TOP_LOGPROBS = 20

const toldToken = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z
    .array(z.number().int())
    .nullable()
    .describe(
      'What the token adds to the text, maybe a part of a character; null where that is nothing.',
    ),
})

export const tokenLogprobs = z
  .object({
    content: z.array(toldToken.extend({ top_logprobs: z.array(toldToken) })),
    refusal: z.null(),
  })
  .openapi('TokenLogprobs')

export type TokenLogprobs = z.infer<typeof tokenLogprobs>

interface TokenText {
  readonly token: string
  readonly bytes: number[] | null
}

type Tokens = Pick<ServedEngine, 'detokenize' | 'tokenBytes'>

/** What OpenAI writes for a token that could not be less likely; JSON has no infinity. */
const LEAST_LOGPROB = -9999

/** Single tokens as they are told, found once: the same few come again and again. */
const KNOWN = new WeakMap<Tokens, Map<number, TokenText>>()

/**
 * One choice's log-probabilities; null when they were not asked for.
 * @param fromStart whether the choice begins with the first of them
 */
export function wireLogprobs(
  logprobs: readonly TokenLogprob[] | null,
  engine: Tokens,
  fromStart: boolean,
): TokenLogprobs | null {
  if (logprobs === null) return null
  let isFirst = fromStart
  const content = logprobs.map((one) => {
    const textOf = isFirst ? firstText : tokenText
    // One that adds nothing leaves the start to the next.
    if (isFirst) isFirst = firstText(engine, one.id).bytes === null
    const wire = ({ id, logprob }: { id: number; logprob: number }) => {
      const { token, bytes } = textOf(engine, id)
      return { token, logprob: Number.isFinite(logprob) ? logprob : LEAST_LOGPROB, bytes }
    }
    return { ...wire(one), top_logprobs: one.top.map(wire) }
  })
  return { content, refusal: null }
}

function tokenText(engine: Tokens, id: number): TokenText {
  let known = KNOWN.get(engine)
  if (!known) {
    known = new Map()
    KNOWN.set(engine, known)
  }
  let text = known.get(id)
  if (!text) {
    text = told(engine, id, engine.tokenBytes(id))
    known.set(id, text)
  }
  return text
}

/** At the start of a text a token may have less of it. */
const firstText = (engine: Tokens, id: number): TokenText =>
  told(engine, id, engine.tokenBytes(id, true))

/** A token that adds nothing still has a name. */
const told = (engine: Tokens, id: number, bytes: Uint8Array | null): TokenText =>
  bytes === null
    ? { token: engine.detokenize([id]), bytes }
    : { token: spelled(bytes), bytes: [...bytes] }

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text where there are whole characters, and `\\xf0` for other bytes, as OpenAI writes them. */
function spelled(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.subarray(at)
    const length = [rest.length, 1, 2, 3, 4].find((size) => isUtf8(rest.subarray(0, size)))
    const run = rest.subarray(0, length ?? 1)
    text += length === undefined ? `\\x${Buffer.from(run).toString('hex')}` : strict.decode(run)
    at += run.length
  }
  return text
}
