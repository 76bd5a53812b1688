/** Logits of a prompt and its greedy continuation: what tests and the `logits` command look at. */
import { PREFILL_ROWS } from './runner/buffers.ts'
import { GREEDY, type Runner } from './runner/runner.ts'

export interface LogitsResult {
  /** Logits after the last id: [vocabulary]. */
  readonly last: Float32Array
  /** Logits after each id, when asked for. */
  readonly all: Float32Array[] | null
  /** The most likely ids, one after another. */
  readonly greedy: number[]
}

/** Runs alone on the runner. Throws GpuError. */
export async function scoreIds(
  runner: Runner,
  ids: readonly number[],
  options: { all?: boolean; greedy?: number },
): Promise<LogitsResult> {
  const rows: Float32Array[] = []
  for (let position = 0; position < ids.length; position += PREFILL_ROWS) {
    const chunk = ids.slice(position, position + PREFILL_ROWS)
    const last = position + chunk.length === ids.length
    const wanted = options.all ? chunk.map((_, i) => i) : last ? [chunk.length - 1] : []
    rows.push(...(await runner.logits({ ids: chunk, position, sample: false }, wanted)))
  }
  const greedy: number[] = []
  const count = options.greedy ?? 0
  if (count > 0) {
    runner.begin(ids, GREEDY)
    const position = Math.floor((ids.length - 1) / PREFILL_ROWS) * PREFILL_ROWS
    runner.launchPrefill({ ids: ids.slice(position), position, sample: true })
    for (let i = 0; i < count; i++) {
      if (i + 1 < count) runner.launchDecode()
      const id = await runner.collect()
      if (id !== null) greedy.push(id)
    }
  }
  const last = rows.at(-1) as Float32Array
  return { last, all: options.all ? rows : null, greedy }
}
