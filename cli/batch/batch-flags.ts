/** What `illuminator batch` is told. */
import type { BackendFlags } from '../backend/open-backend.ts'
import type { SamplingFlags } from '../options.ts'

export interface BatchFlags extends SamplingFlags, BackendFlags {
  output: string
  workers: number
  batchSize: number
  retryFailed?: boolean
  chat?: boolean
  systemMessage?: string
  json?: boolean
}

/** What the engine can be loaded for. */
export const MOST_AT_ONCE = 1024
