/**
 * What the server needs of an engine, as a structure: the real `Engine` fits it, and so does the fake one that tests
 * run the routes against. Nothing in `server/` imports the engine class itself, so a server can listen (and say that
 * it is loading) before the engine's code has even been read.
 */
import type {
  ChatMessage,
  ChatOptions,
  EngineStats,
  GenerateOptions,
  Generation,
  ModelInfo,
} from '../../engine/api.ts'

export interface ServedEngine {
  readonly info: ModelInfo
  readonly stats: EngineStats
  /** What the model's `generation_config.json` asks for; used where a dialect has no default of its own. */
  readonly defaults: GenerateOptions
  /** Continues a text or ids. Throws or rejects with `EngineError`. */
  generate(prompt: string | readonly number[], options?: GenerateOptions): Generation
  /** Answers a conversation through the model's chat template. Throws or rejects with `EngineError`. */
  chat(messages: readonly ChatMessage[], options?: ChatOptions): Generation
  tokenize(text: string): number[]
  detokenize(ids: readonly number[]): string
  /** What a token adds to an answer's text (`first`: at its start); null: nothing. */
  tokenBytes(id: number, first?: boolean): Uint8Array | null
  close(): Promise<void>
}
