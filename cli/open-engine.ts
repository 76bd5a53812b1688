/**
 * What the commands take from the rest of the product, in one place and loaded only when a command runs: `--help` must
 * not wait for a GPU library. Tests hand in stand-ins.
 */
import type { LoadOptions } from '../engine/api.ts'
import type { AdapterReport } from '../kernels/index.ts'
import type { ServedEngine } from '../server/index.ts'

/** The engine as the commands see it. */
export interface CliEngine extends ServedEngine {
  /** The exact path: logits at the last position (or at all), and a greedy continuation. Needs no tokenizer. */
  logits(
    ids: readonly number[],
    options?: { all?: boolean; greedy?: number },
  ): Promise<{ last: Float32Array; all: Float32Array[] | null; greedy: number[] }>
}

/** The models folder as the commands see it. */
export type Hub = Pick<
  typeof import('../engine/hub/index.ts'),
  'DEFAULT_MODEL' | 'listModels' | 'modelIdOf' | 'readOrigin' | 'removeModel' | 'resolveModel'
>

export interface Parts {
  importGguf: typeof import('../engine/index.ts').importGguf
  quantizeModel: typeof import('../engine/index.ts').quantizeModel
  openEngine(model: string | undefined, options: LoadOptions): Promise<CliEngine>
  /** @param choice as `--adapter` takes it; absent: what the environment says */
  listAdapters(choice: string | undefined): Promise<AdapterReport[]>
  hub(): Promise<Hub>
  server(): Promise<typeof import('../server/index.ts')>
  /** As much of it as listens. */
  start(): Promise<typeof import('../server/start.ts')>
  /** Runs the benchmarks' own command line, on this terminal. Its exit code. */
  bench(args: readonly string[]): Promise<number>
}

/** The real ones. */
export const parts: Parts = {
  async openEngine(model, options) {
    const { Engine } = await import('../engine/index.ts')
    return Engine.load(model, options)
  },
  async importGguf(...all) {
    const { importGguf } = await import('../engine/index.ts')
    return importGguf(...all)
  },
  async quantizeModel(...all) {
    const { quantizeModel } = await import('../engine/index.ts')
    return quantizeModel(...all)
  },
  async listAdapters(choice) {
    const { listAdapters } = await import('../kernels/index.ts')
    return listAdapters(choice)
  },
  hub: () => import('../engine/hub/index.ts'),
  server: () => import('../server/index.ts'),
  start: () => import('../server/start.ts'),
  async bench(args) {
    const { spawn } = await import('node:child_process')
    const { fileURLToPath } = await import('node:url')
    // No import: nothing depends on the benchmarks. As built, or as sources are run by tests.
    const main = fileURLToPath(import.meta.url).endsWith('.ts') ? 'main.ts' : 'main.js'
    const path = fileURLToPath(new URL(`../bench/${main}`, import.meta.url))
    const child = spawn(process.execPath, [...process.execArgv, path, ...args], {
      stdio: 'inherit',
    })
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve(code ?? 1))
    })
  },
}
