/** What the engine's two sides say to each other over a message port: plain data, no functions. */
import type { EngineStats, ModelInfo, Priority, Progress } from '../api.ts'
import type { ErrorCode } from '../errors.ts'
import type { AllLoadOptions } from '../load-model.ts'
import type { LogprobDetail } from '../runner/outcomes.ts'
import type { SamplingSpec } from '../sampling/sampling.ts'
import type { Ending } from '../schedule/request.ts'
import type { JsonObject } from '../weights/json.ts'

export type PlainLoadOptions = Omit<AllLoadOptions, 'signal' | 'onProgress' | 'onFound'>

/** A request as it crosses the port. */
export interface RequestSpec {
  readonly prompt: readonly number[]
  readonly maxTokens: number
  readonly stopIds: readonly number[]
  readonly priority: Priority
  readonly salt: string
  /** Number of the request with the same prompt whose pages it shares. */
  readonly sibling: number | null
  readonly drafts: number
  readonly score: 'none' | 'last' | 'all'
  readonly sampling: SamplingSpec
}

export type ToLoop =
  | { type: 'load'; model: string | undefined; options: PlainLoadOptions }
  | { type: 'cancel load' }
  | { type: 'submit'; number: number; spec: RequestSpec }
  | { type: 'end'; number: number; ending: Ending }
  | { type: 'close' }

export interface PlainError {
  readonly code: ErrorCode
  readonly message: string
  readonly param: string | undefined
  /** For the log. */
  readonly stack: string | undefined
}

/** Something that happened to a request. */
export type LoopEvent =
  | {
      type: 'ids'
      number: number
      ids: readonly number[]
      details: readonly LogprobDetail[] | null
    }
  | { type: 'logits'; number: number; first: number; rows: readonly Float32Array[] }
  | { type: 'ended'; number: number; ending: Ending; cachedTokens: number }
  | { type: 'failed'; number: number; error: PlainError }

/** What the caller's side must know of a model. */
export interface LoadedFacts {
  readonly info: ModelInfo
  readonly generationConfig: JsonObject
  readonly eosIds: readonly number[]
  /** Most tokens drafted ahead. */
  readonly drafts: number
}

export type FromLoop =
  | { type: 'progress'; progress: Progress }
  /** Where the model lies: sent before anything of it is loaded. */
  | { type: 'found'; folder: string }
  | { type: 'loaded'; facts: LoadedFacts; stats: EngineStats }
  | { type: 'load failed'; error: PlainError }
  | { type: 'turn'; events: readonly LoopEvent[]; stats: EngineStats }
  | { type: 'closed' }
