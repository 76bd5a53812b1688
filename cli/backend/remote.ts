/** A server as a backend: OpenAI's dialect under `/v1`, streamed. */
import { z } from 'zod'
import type { ChatMessage, GenerateOptions, Usage } from '../../engine/api.ts'
import type { Backend, Piece } from './backend.ts'
import type { Server } from './server.ts'
import { frameRefusal, ServerError, unreachable } from './server-error.ts'

const usage = z.object({
  prompt_tokens: z.number(),
  completion_tokens: z.number(),
  total_tokens: z.number(),
  prompt_tokens_details: z.object({ cached_tokens: z.number().nullish() }).nullish(),
})

/** A chunk of either endpoint, as much of it as is used. */
const chunk = z.object({
  model: z.string().nullish(),
  choices: z.array(
    z.object({
      text: z.string().nullish(),
      delta: z.object({ content: z.string().nullish() }).nullish(),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage: usage.nullish(),
})

const cards = z.object({
  data: z.array(z.object({ id: z.string() })),
  models: z.array(z.object({ id: z.string(), context_length: z.number().nullish() })).nullish(),
})

/**
 * What a server says that it has.
 * @throws ServerError
 */
export async function modelCards(
  server: Server,
  signal: AbortSignal,
): Promise<z.output<typeof cards>> {
  const body = cards.safeParse(await server.get('/v1/models', signal))
  if (body.success) return body.data
  throw frameRefusal(null, server.asked(null))
}

export class RemoteBackend implements Backend {
  readonly #server: Server
  readonly #asked: string | null
  #answering: string | null
  #contextLength: number | null = null

  /** @param model as asked for; null: the server's usual one */
  constructor(server: Server, model: string | null) {
    this.#server = server
    this.#asked = model
    this.#answering = model
  }

  get model(): string | null {
    return this.#answering
  }

  get place(): string {
    return this.#server.url
  }

  get contextLength(): number | null {
    return this.#contextLength
  }

  /** Asks which models there are. */
  async look(signal: AbortSignal): Promise<void> {
    const { data, models } = await modelCards(this.#server, signal)
    const [only] = data
    if (this.#asked === null && data.length === 1 && only) this.#answering = only.id
    const card = models?.find(({ id }) => id === this.#answering)
    this.#contextLength = card?.context_length ?? null
  }

  generate(prompt: string, options: GenerateOptions): AsyncIterable<Piece> {
    return this.#answer('/v1/completions', { prompt }, options)
  }

  chat(messages: readonly ChatMessage[], options: GenerateOptions): AsyncIterable<Piece> {
    return this.#answer('/v1/chat/completions', { messages }, options)
  }

  async *#answer(
    path: string,
    what: object,
    options: GenerateOptions,
  ): AsyncGenerator<Piece, void> {
    const body = {
      ...(this.#asked === null ? {} : { model: this.#asked }),
      ...what,
      ...wireOptions(options),
      stream: true,
      stream_options: { include_usage: true },
    }
    const asked = this.#server.asked(this.#asked)
    let isOver = false
    for await (const data of this.#server.stream(path, body, options.signal)) {
      if (data === '[DONE]') return
      const piece = this.#piece(data)
      isOver ||= piece.finishReason !== null
      yield piece
    }
    // A server that keeps to the dialect says that it is done; a hop between that gives up does not.
    if (!isOver) throw unreachable(new Error('it ended before its end'), asked, true)
  }

  #piece(data: string): Piece {
    const asked = this.#server.asked(this.#asked)
    let payload: unknown
    try {
      payload = JSON.parse(data)
    } catch (cause) {
      throw new ServerError(`${asked.url} sends what is no JSON in its stream.`, { cause })
    }
    const known = chunk.safeParse(payload)
    if (!known.success) throw frameRefusal(payload, asked)
    const { model, choices, usage: counts } = known.data
    if (model) this.#answering = model
    const [choice] = choices
    const reason = choice?.finish_reason ?? null
    return {
      text: choice?.text ?? choice?.delta?.content ?? '',
      finishReason: reason === null ? null : reason === 'length' ? 'length' : 'stop',
      usage: counts ? usageOf(counts) : null,
    }
  }
}

const usageOf = (counts: z.output<typeof usage>): Usage => ({
  promptTokens: counts.prompt_tokens,
  cachedTokens: counts.prompt_tokens_details?.cached_tokens ?? 0,
  completionTokens: counts.completion_tokens,
  totalTokens: counts.total_tokens,
})

/** The engine's options under the wire's names; what is not asked for is left to the server. */
function wireOptions(options: GenerateOptions): object {
  const wire = {
    max_tokens: options.maxTokens,
    temperature: options.temperature,
    top_p: options.topP,
    top_k: options.topK,
    min_p: options.minP,
    typical_p: options.typicalP,
    logit_bias: options.logitBias,
    seed: options.seed,
    stop: options.stop,
    stop_token_ids: options.stopTokenIds,
    repetition_penalty: options.repetitionPenalty,
    presence_penalty: options.presencePenalty,
    frequency_penalty: options.frequencyPenalty,
    ignore_eos: options.ignoreEos,
    priority: options.priority,
    cache_salt: options.cacheSalt,
  }
  return Object.fromEntries(Object.entries(wire).filter(([, value]) => value !== undefined))
}
