/** A model that the server can have: its name, what is known of it before it is loaded, and how to load it. */
import type { Progress } from '../../engine/api.ts'
import type { ServedEngine } from '../contract/served-engine.ts'

export interface LoadHooks {
  readonly onProgress: (progress: Progress) => void
  readonly signal: AbortSignal
}

export interface ModelSource {
  /** What its engine will say it is called. Absent: that is known once it is loaded. */
  readonly id?: string
  readonly aliases?: readonly string[]
  /** Loaded at the start, and never unloaded. */
  readonly isPinned?: boolean
  /** Memory that it should take, as far as its files tell. Default: unknown. */
  readonly bytes?: number
  /** As its files tell them. */
  readonly facts?: {
    readonly architecture: string | null
    readonly weights: string | null
    readonly contextLength: number | null
  }
  load(hooks: LoadHooks): Promise<ServedEngine>
}

/** The models that are loaded when somebody asks for them, as of now: folders come and go. */
export type Catalog = () => Promise<readonly ModelSource[]>

/** What became of a model, for the operator. */
export type ModelEvent =
  | {
      readonly kind: 'loaded'
      readonly id: string
      readonly isPinned: boolean
      readonly seconds: number
      readonly bytes: number
    }
  | { readonly kind: 'unloaded'; readonly id: string; readonly why: 'idle' | 'room' }
  | {
      readonly kind: 'failed'
      readonly id: string
      readonly isPinned: boolean
      readonly error: unknown
    }
  | {
      readonly kind: 'too large'
      readonly id: string
      readonly bytes: number
      readonly budget: number
    }
