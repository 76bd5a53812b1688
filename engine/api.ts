/**
 * The types a caller of the engine sees. Everything has a default; numbers outside their range are refused with an
 * `EngineError('bad_request')` that names the parameter.
 */

/** How tokens are chosen. Applied in this order: penalties, temperature, top-k, top-p, min-p, draw. */
export interface SamplingParams {
  /** 0 is greedy. Range 0–2. Default 1. */
  temperature?: number
  /** Keep the k most likely tokens; 0 keeps all. Default 0. */
  topK?: number
  /** Keep the smallest set with at least this probability mass, (0, 1]. Default 1. */
  topP?: number
  /** Drop tokens less likely than this fraction of the most likely, [0, 1]. Default 0. */
  minP?: number
  /** Divides (or multiplies, when negative) the logits of every token in prompt and answer (CTRL). Default 1. */
  repetitionPenalty?: number
  /** Subtracted once from tokens already generated, −2–2. Default 0. */
  presencePenalty?: number
  /** Subtracted per earlier occurrence in the answer, −2–2. Default 0. */
  frequencyPenalty?: number
  /** Makes a sampled answer repeatable. Default: drawn anew. A 32-bit unsigned integer. */
  seed?: number
}

export interface GenerateOptions extends SamplingParams {
  /** Most tokens to generate. Default: what fits the context. */
  maxTokens?: number
  /** Text that ends the answer; it is never part of it. At most 16. */
  stop?: readonly string[]
  /** Ids that end the answer, besides the model's own. */
  stopTokenIds?: readonly number[]
  /** Go on after the model's end-of-text tokens. Default false. */
  ignoreEos?: boolean
  /** Cancels: at most one more step runs. */
  signal?: AbortSignal
}

export type FinishReason = 'stop' | 'length'

export interface Usage {
  promptTokens: number
  completionTokens: number
  totalTokens: number
}

/** A piece of an answer: whole characters only, never part of a stop string. */
export interface Chunk {
  text: string
  /** The ids decoded since the last chunk; their text may still be held back. */
  ids: readonly number[]
  /** Tokens generated up to and including this chunk. */
  tokens: number
  /** Set on the last chunk only. */
  finishReason: FinishReason | null
  usage: Usage | null
}

export interface GenerateResult {
  text: string
  ids: readonly number[]
  finishReason: FinishReason
  usage: Usage
  timings: Timings
}

/** Milliseconds, measured on the host. */
export interface Timings {
  /** From admission to the first token. */
  firstToken: number
  /** From admission to the end. */
  total: number
  /** Decoded tokens a second after the first. */
  tokensPerSecond: number
}

/** An answer under way: iterate it for chunks, or await `result()`. Leaving the loop cancels the work. */
export interface Generation extends AsyncIterable<Chunk> {
  result(): Promise<GenerateResult>
}

export interface ChatMessage {
  role: string
  content: string
  name?: string
}

export type Progress =
  | { phase: 'download'; file: string; done: number; total: number; source: string }
  /** An adapter has to be fetched first: `message` says which. */
  | { phase: 'adapter'; message: string; done: number; total: number }
  | { phase: 'weights'; done: number; total: number }
  | { phase: 'pipelines'; done: number; total: number }

export interface LoadOptions {
  /** Context to reserve KV cache for. Default: the model's own, or what fits the adapter. */
  contextLength?: number
  /** Number type of the KV cache. Default f16. */
  kv?: 'f16' | 'f32'
  /** Adapter to use: `auto`, `gpu`, `lavapipe`, `swiftshader`, or part of an adapter's name. */
  adapter?: string
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

/** Facts about the running engine, for `/health`, `doctor` and tests. */
export interface EngineStats {
  adapter: { name: string; vendor: string; kind: 'gpu' | 'software' }
  /** Bytes of live GPU buffers, by purpose. */
  memory: { total: number; byPurpose: Readonly<Record<string, number>> }
  running: number
  queued: number
  /** Steps launched so far: rises while the engine advances. */
  steps: number
  /** Calls to the GPU so far, by kind. */
  calls: Readonly<Record<string, number>>
  /** Dispatches that one decoded token takes. */
  dispatchesPerToken: number
}
