/** Logits of a prompt and its greedy continuation: what tests and the `logits` command look at. */
import { GREEDY_SPEC } from './sampling/sampling.ts'
import type { HostSide } from './worker/host-side.ts'
import type { RequestSpec } from './worker/protocol.ts'

export interface LogitsResult {
  /** Logits after the last id: [vocabulary]. */
  readonly last: Float32Array
  /** Logits after each id, when asked for. */
  readonly all: Float32Array[] | null
  /** The most likely ids, one after another. */
  readonly greedy: number[]
}

/** Runs among other requests, as they do. Throws EngineError. */
export async function scoreIds(
  host: HostSide,
  ids: readonly number[],
  options: { all?: boolean; greedy?: number },
): Promise<LogitsResult> {
  const spec: RequestSpec = {
    prompt: ids,
    maxTokens: 0,
    stopIds: [],
    priority: 'interactive',
    salt: '',
    sibling: null,
    drafts: 0,
    score: options.all ? 'all' : 'last',
    sampling: GREEDY_SPEC,
  }
  const rows: Float32Array[] = []
  await run(host, spec, {
    onLogits: (first, more) => {
      for (const [i, row] of more.entries()) rows[first + i] = row
    },
  })
  const greedy: number[] = []
  const count = options.greedy ?? 0
  if (count > 0) {
    const next: RequestSpec = { ...spec, maxTokens: count, score: 'none' }
    await run(host, next, { onIds: (more) => greedy.push(...more) })
  }
  const last = rows.at(-1) as Float32Array
  return { last, all: options.all ? rows : null, greedy }
}

function run(
  host: HostSide,
  spec: RequestSpec,
  listener: Partial<Parameters<HostSide['submit']>[1]>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    host.submit(spec, { ...listener, onEnd: () => resolve(), onError: reject })
  })
}
