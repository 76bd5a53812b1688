/** What the scheduler counts, for stats and metrics. */
import type { PageCounts } from './pages.ts'

export interface SchedulerCounts {
  readonly running: number
  readonly queued: number
  /** Times a running request was sent back for want of pages. */
  readonly preemptions: number
  /** Tokens drafted ahead, and those of them that were right. */
  readonly drafted: number
  readonly accepted: number
  /** Prompt tokens of started requests, and those of them that were in the cache. */
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly pages: PageCounts
  /** The same for each group of layers. */
  readonly groups: readonly PageCounts[]
}
