/** One generation, as the scheduler sees it: ids in, ids out, and where it stands. */

export type RequestState = 'waiting' | 'prefill' | 'decode' | 'done'
export type Ending = 'stop' | 'length' | 'aborted'

export interface RequestLimits {
  /** Most ids to generate, at least 1. */
  readonly maxTokens: number
  /** Ids that end the answer; they are not part of it. */
  readonly stopIds: ReadonlySet<number>
}

export class Request {
  readonly prompt: readonly number[]
  readonly limits: RequestLimits
  state: RequestState = 'waiting'
  ending: Ending | null = null
  /** Prompt ids handed to the GPU. */
  prefilled = 0
  /** Steps under way that will bring an id. */
  pending = 0
  /** Ids generated and kept. */
  generated = 0

  constructor(prompt: readonly number[], limits: RequestLimits) {
    this.prompt = prompt
    this.limits = limits
  }
}
