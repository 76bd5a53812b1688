/**
 * What the commands take from the rest of the product, in one place and loaded only when a command runs: `--help` must
 * not wait for a GPU library. Tests hand in stand-ins.
 */
import type { LoadOptions } from '../engine/api.ts'
import type { ServedEngine } from '../server/index.ts'

/** The engine as the commands see it. */
export interface CliEngine extends ServedEngine {
  /** The exact path: logits at the last position (or at all), and a greedy continuation. Needs no tokenizer. */
  logits(
    ids: readonly number[],
    options?: { all?: boolean; greedy?: number },
  ): Promise<{ last: Float32Array; all: Float32Array[] | null; greedy: number[] }>
}

/** One adapter as `doctor` shows it. */
export interface AdapterReport {
  driver: string
  name: string
  vendor: string
  features: string[]
  limits: Record<string, number>
  chosen: boolean
  reason: string
  error?: string
}

/** The models folder as the commands see it. */
export type Hub = Pick<
  typeof import('../engine/hub/index.ts'),
  'DEFAULT_MODEL' | 'listModels' | 'removeModel' | 'resolveModel'
>

export interface Parts {
  openEngine(model: string | undefined, options: LoadOptions): Promise<CliEngine>
  listAdapters(): Promise<AdapterReport[]>
  hub(): Promise<Hub>
  server(): Promise<typeof import('../server/index.ts')>
}

/** The real ones. */
export const parts: Parts = {
  async openEngine(model, options) {
    const { Engine } = await import('../engine/index.ts')
    return Engine.load(model, options)
  },
  async listAdapters() {
    const { listAdapters } = await import('../kernels/index.ts')
    return listAdapters()
  },
  hub: () => import('../engine/hub/index.ts'),
  server: () => import('../server/index.ts'),
}
