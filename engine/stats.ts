/** What an engine tells about itself while it runs. */

/** Pages of the KV cache, 16 tokens each: free + cached + inUse = total. */
export interface KvPages {
  free: number
  /** Unused, but found by who asks for the same tokens again. */
  cached: number
  inUse: number
  total: number
}

/** Facts about the running engine, for `/health`, `doctor` and tests. */
export interface EngineStats {
  adapter: { name: string; vendor: string; kind: 'gpu' | 'software' }
  /** Bytes of live GPU buffers, by purpose. */
  memory: { total: number; byPurpose: Readonly<Record<string, number>> }
  /** Sequences. */
  running: number
  queued: number
  pages: KvPages
  /** The same by how many tokens back layers look (null: all): what lies outside a window is given back. */
  pageGroups: readonly (KvPages & { window: number | null })[]
  /** Prompt tokens of started requests so far, and those of them that were in the cache. */
  prefix: { promptTokens: number; cachedTokens: number }
  /** Times a running request was sent back for want of pages. */
  preemptions: number
  /** Tokens drafted ahead so far, and those of them that were right. */
  speculation: { drafted: number; accepted: number }
  /** Devices opened again after one was lost. */
  restarts: number
  /** Steps launched so far: rises while the engine advances. */
  steps: number
  /** Milliseconds that the GPU was at work, as the host saw it. */
  busy: number
  /** The worker's event loop, milliseconds: `active / (active + idle)` is its utilisation. */
  loop: { active: number; idle: number }
  /** Calls to the GPU so far, by kind. */
  calls: Readonly<Record<string, number>>
  /** Dispatches that one decoded token takes. */
  dispatchesPerToken: number
}
