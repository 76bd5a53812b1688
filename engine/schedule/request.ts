/** One sequence to generate, as the scheduler sees it: ids in, ids out, and where it stands. */
import type { PrefixNode } from './prefix.ts'

/** `batch` work runs in what `interactive` work leaves. */
export type Priority = 'interactive' | 'batch'
export type RequestState = 'waiting' | 'running' | 'done'
export type Ending = 'stop' | 'length' | 'aborted'

export interface RequestOptions {
  /** Most ids to generate; 0 only with `score`. */
  readonly maxTokens: number
  /** Ids that end the answer; they are not part of it. */
  readonly stopIds: ReadonlySet<number>
  readonly priority: Priority
  /** Prefixes are shared among requests of one salt only. */
  readonly salt: string
  /** Another request over the same prompt, a moment older: its pages are shared once its prompt is in. */
  readonly sibling: Request | null
  /** Most tokens drafted ahead in a step. */
  readonly drafts: number
  /** The host must know every id before the next step: a token mask depends on it. */
  readonly stepwise: boolean
  /** Rows whose logits are wanted instead of tokens. */
  readonly score: 'none' | 'last' | 'all'
}

const DEFAULTS: RequestOptions = {
  maxTokens: 1,
  stopIds: new Set(),
  priority: 'interactive',
  salt: '',
  sibling: null,
  drafts: 0,
  stepwise: false,
  score: 'none',
}

/** A sequence's pages in a group of layers. */
export interface PageTable {
  /** By position; none before `first`. */
  readonly pages: number[]
  /** Place of the first page that is held: those before it are outside the window, and given back. */
  first: number
}

/** What a running request holds of the KV cache. */
export interface Residence {
  readonly slot: number
  /** By group of layers. */
  readonly tables: readonly PageTable[]
  /** Last full page of known ids that others may find. */
  node: PrefixNode
  /** Full pages up to `node`. */
  published: number
  /** Step by which the prompt is computed; null before it is planned. */
  promptStep: number | null
}

export class Request {
  readonly prompt: readonly number[]
  readonly options: RequestOptions
  state: RequestState = 'waiting'
  ending: Ending | null = null
  /** Order of arrival; set when it is admitted to the scheduler. */
  arrival = 0
  /** Prompt and kept ids. */
  readonly tokens: number[]
  /** Tokens whose keys and values are computed or being computed by a launched step. */
  computed = 0
  /** Steps under way that will bring an id. */
  pending = 0
  residence: Residence | null = null
  /** Prompt tokens that were found in the cache at the first start; null before it. */
  cachedTokens: number | null = null

  constructor(prompt: readonly number[], options: Partial<RequestOptions> = {}) {
    this.prompt = prompt
    this.tokens = [...prompt]
    this.options = { ...DEFAULTS, ...options }
  }

  /** Ids generated and kept. */
  get generated(): number {
    return this.tokens.length - this.prompt.length
  }

  /** Rows to compute before the next id can be chosen: 1 while decoding. */
  get remaining(): number {
    return this.tokens.length + this.pending - this.computed
  }

  /** All ids that are wanted are there or under way. */
  get isSpent(): boolean {
    const { score, maxTokens } = this.options
    return score === 'none' && this.generated + this.pending >= maxTokens
  }

  /** Must the host know the last id before the next step can be planned? */
  get waitsForHost(): boolean {
    return this.options.stepwise || this.options.drafts > 0 || this.options.score !== 'none'
  }
}
