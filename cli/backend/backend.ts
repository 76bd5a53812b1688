/** What answers: a model in this process, or a server. Commands see no difference. */
import type { ChatMessage, Chunk, GenerateOptions } from '../../engine/api.ts'
import type { CliEngine } from '../open-engine.ts'

/** A piece of one answer; the last one has the counts. */
export type Piece = Pick<Chunk, 'text' | 'finishReason' | 'usage'>

export interface Backend {
  /** The model's id; null while a server has not said which is its usual one. */
  readonly model: string | null
  /** Where the model runs, in words. */
  readonly place: string
  /** Tokens that the context holds, where that is known. */
  readonly contextLength: number | null
  /**
   * Finds out what the facts above are, before anybody has typed a word: an address or a key that is wrong shows here.
   * @throws ServerError
   */
  look(signal: AbortSignal): Promise<void>
  /** Continues a text. Ended by the signal among the options. */
  generate(prompt: string, options: GenerateOptions): AsyncIterable<Piece>
  /** Answers a conversation. */
  chat(messages: readonly ChatMessage[], options: GenerateOptions): AsyncIterable<Piece>
}

/** A loaded engine as a backend. */
export function localBackend(engine: CliEngine): Backend {
  return {
    model: engine.info.id,
    place: engine.stats.adapter.name,
    contextLength: engine.info.contextLength,
    look: async () => {},
    generate: (prompt, options) => engine.generate(prompt, options),
    chat: (messages, options) => engine.chat(messages, options),
  }
}
