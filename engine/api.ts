/**
 * The types a caller of the engine sees. Everything has a default; numbers outside their range are refused with an
 * `EngineError('bad_request')` that names the parameter.
 */

/**
 * How tokens are chosen. Applied in this order: penalties, bias, mask, temperature, top-k, top-p, min-p, typical-p, draw.
 * Random numbers are keyed by seed and position: a seeded answer is the same whoever else is being served.
 */
export interface SamplingParams {
  /** 0 is greedy. Range 0–2. Default 1. */
  temperature?: number
  /** Keep the k most likely tokens; 0 keeps all. Default 0. */
  topK?: number
  /** Keep the smallest set with at least this probability mass, (0, 1]. Default 1. */
  topP?: number
  /** Drop tokens less likely than this fraction of the most likely, [0, 1]. Default 0. */
  minP?: number
  /** Keep the smallest set of locally typical tokens with this mass (Meister et al. 2022), (0, 1]. Default 1: all. */
  typicalP?: number
  /** Divides (or multiplies, when negative) the logits of every token in prompt and answer (CTRL). Default 1. */
  repetitionPenalty?: number
  /** Subtracted once from tokens already generated, −2–2. Default 0. */
  presencePenalty?: number
  /** Subtracted per earlier occurrence in the answer, −2–2. Default 0. */
  frequencyPenalty?: number
  /** Added to the logits of single tokens, −100–100, by id. */
  logitBias?: Readonly<Record<number, number>>
  /** Only these ids may be chosen. */
  allowedTokens?: readonly number[]
  /** Makes a sampled answer repeatable. Default: drawn anew. A 32-bit unsigned integer; of several choices, the first's. */
  seed?: number
}

/** `batch` work runs in what `interactive` work leaves, and never makes it wait for more than a step. */
export type Priority = 'interactive' | 'batch'

export interface GenerateOptions extends SamplingParams {
  /** Most tokens to generate. Default: what fits the context. */
  maxTokens?: number
  /** Text that ends the answer; it is never part of it. At most 16. */
  stop?: readonly string[]
  /** Ids that end the answer, besides the model's own. */
  stopTokenIds?: readonly number[]
  /** Go on after the model's end-of-text tokens. Default false. */
  ignoreEos?: boolean
  /** Answers to the same prompt, 1–128; the prompt is computed once. Default 1. */
  n?: number
  /** Tell each token's log-probability, before penalties, bias and temperature. Default false. */
  logprobs?: boolean
  /** With `logprobs`: the most likely alternatives to tell as well, 0–20. Default 0. */
  topLogprobs?: number
  /** Default `interactive`. */
  priority?: Priority
  /** Prefixes are shared only among requests of one salt, for instance a tenant's name. Default ''. */
  cacheSalt?: string
  /** Tokens to draft ahead, at most what the engine was loaded with; 0 is off. Default: what it was loaded with. */
  speculate?: number
  /** Milliseconds from admission after which the request fails with `timeout`. Default: none. */
  timeout?: number
  /** Cancels: at most one more step runs. */
  signal?: AbortSignal
}

export type FinishReason = 'stop' | 'length'

export interface Usage {
  promptTokens: number
  /** Prompt tokens whose keys and values were found in the cache. */
  cachedTokens: number
  /** Of all choices. */
  completionTokens: number
  totalTokens: number
}

export interface TokenLogprob {
  id: number
  logprob: number
  /** The most likely tokens at that place, most likely first; as many as were asked for. */
  top: readonly { readonly id: number; readonly logprob: number }[]
}

/** A piece of an answer: whole characters only, never part of a stop string. */
export interface Chunk {
  /** Which choice it belongs to, from 0. */
  index: number
  text: string
  /** The ids decoded since the choice's last chunk; their text may still be held back. */
  ids: readonly number[]
  /** One for each of `ids`, when they were asked for. */
  logprobs: readonly TokenLogprob[] | null
  /** Tokens of the choice up to and including this chunk. */
  tokens: number
  /** Set on a choice's last chunk only. */
  finishReason: FinishReason | null
  /** Set on the very last chunk only. */
  usage: Usage | null
}

export interface Choice {
  index: number
  text: string
  ids: readonly number[]
  logprobs: readonly TokenLogprob[] | null
  finishReason: FinishReason
}

/** The first choice, and all of them. */
export interface GenerateResult extends Omit<Choice, 'index'> {
  choices: readonly Choice[]
  usage: Usage
  timings: Timings
}

/** Milliseconds, measured on the host. */
export interface Timings {
  /** From admission to the first token of any choice. */
  firstToken: number
  /** From admission to the end. */
  total: number
  /** Decoded tokens a second after the first, of all choices. */
  tokensPerSecond: number
}

/** An answer under way: iterate it for chunks, or await `result()`. Leaving the loop cancels the work. */
export interface Generation extends AsyncIterable<Chunk> {
  /** Tokens of the prompt, known before anything runs. */
  readonly promptTokens: number
  /** Most tokens that all choices may have together. */
  readonly mostTokens: number
  result(): Promise<GenerateResult>
}

export type { ChatMessage, ChatOptions, ToolCall } from './chat-message.ts'

export type Progress =
  /** Several files come at once. `note`: why nothing comes for a while. */
  | {
      phase: 'download'
      file: string
      done: number
      total: number
      source: string
      note?: string
    }
  /** An adapter has to be fetched first: `message` says which. */
  | { phase: 'adapter'; message: string; done: number; total: number }
  | { phase: 'weights'; done: number; total: number }
  | { phase: 'pipelines'; done: number; total: number }

/** What weights can be quantized to on load: bits, and columns that share a scale and a bias. Without a group: 32. */
export const QUANTIZE_TYPES = [
  'int8',
  'int4',
  'int8/32',
  'int8/64',
  'int8/128',
  'int4/32',
  'int4/64',
  'int4/128',
] as const

export type QuantizeType = (typeof QUANTIZE_TYPES)[number]

export interface LoadOptions {
  /**
   * Quantize weights of BF16, F16 or F32 on load: `int8`, `int4`, or with a group, as in `int4/64`. Embedding and head take
   * 8 bits. A model that is quantized already is refused; `draft` is loaded as it is. Default: as the checkpoint has them.
   */
  quantize?: QuantizeType
  /** Context to reserve KV cache for. Default: the model's own, or what fits the adapter. */
  contextLength?: number
  /** Number type of the KV cache; int8 has a scale for each head of a token. Default f16. */
  kv?: 'f16' | 'f32' | 'int8'
  /**
   * Number type of what products over norms read, where their weights have 4 or 8 bits: int8 is faster and a little less
   * exact. Default f32.
   */
  activations?: 'f32' | 'int8'
  /** Bytes of KV cache, all layers together. Default: a share of the machine's memory. */
  kvMemory?: number
  /** Sequences that run at once, 1–1024; others wait. Default 16. */
  maxSequences?: number
  /** Most rows of prompts in a step, 1–4096; a long step has fewer. Default 256, or what a binding holds. Changes speed, never tokens. */
  prefillChunk?: number
  /** A smaller model of the same vocabulary that drafts tokens ahead: a folder or an id. Changes speed, never tokens. */
  draft?: string
  /** Tokens to draft ahead in a step, 0–16: by `draft`, or else by looking them up in the sequence itself. Default 4 with `draft`, else 0. */
  speculate?: number
  /** Adapter to use: `auto`, `gpu`, `lavapipe`, `swiftshader`, or part of an adapter's name. */
  adapter?: string
  /** A chat template's file, instead of the model's own or for a model that has none. */
  chatTemplate?: string
  /** Where models are kept. Default `ILLUMINATOR_MODELS`, else the user's data folder. */
  modelsFolder?: string
  onProgress?: (progress: Progress) => void
  signal?: AbortSignal
}

/** Facts about the loaded model. */
export interface ModelInfo {
  id: string
  path: string
  architecture: string
  family: string
  parameters: number
  layers: number
  heads: number
  kvHeads: number
  headDim: number
  hiddenSize: number
  vocabularySize: number
  contextLength: number
  /** For instance `bf16`, or `affine-4bit/32`. */
  weights: string
}

export type { EngineStats, KvPages } from './stats.ts'
