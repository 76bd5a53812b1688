/** What the scheduler is told once: how much there is to give. */
import type { Drafter } from './drafts.ts'
import type { KvGroup } from './kv-group.ts'

export interface SchedulerOptions {
  /** KV pages, by layers that look back equally far. */
  readonly groups: readonly KvGroup[]
  /** Sequences that run at once. */
  readonly slots: number
  /** Rows of a step that may choose a token. */
  readonly picks: number
  /** Who drafts for requests that want it: the sequence itself, or a model on the GPU. */
  readonly drafter: Drafter
}
