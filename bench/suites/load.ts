/**
 * What a load takes: pipelines where no driver has them compiled (in processes of their own, whose answers must be those of
 * a warm load), weights beside reading their files in the same state of the page cache, and the tunings that were kept.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Engine } from '../../engine/index.ts'
import { readTunings } from '../../kernels/index.ts'
import { keepTunings } from '../../kernels/tuning-file.ts'
import { driverNamed } from '../driver-name.ts'
import type { Figure, Wanted } from '../figures.ts'
import { checkIds } from '../greedy.ts'
import {
  COLD_PROMPT,
  type ColdLoad,
  coldLoad,
  dropFromPageCache,
  readSeconds,
  watchLoad,
} from '../model/loading.ts'
import { promptOf } from '../prompts.ts'
import { spreadOf } from '../statistics.ts'

export interface LoadBenchOptions {
  readonly model: string | undefined
  readonly adapter: string | undefined
  /** Loads of each kind. */
  readonly repeats: number
  readonly note: (message: string) => void
}

export interface LoadBench {
  readonly model: string
  readonly weights: string
  readonly adapter: string
  readonly driver: string
  readonly figures: Figure[]
}

/** As many kernels and shapes as several models have. */
const TUNINGS = 100

/** Throws EngineError, GpuError, BenchError. */
export async function benchLoad(options: LoadBenchOptions): Promise<LoadBench> {
  const { model, adapter, repeats, note } = options
  const onAdapter = adapter ? { adapter } : {}
  const first = await Engine.load(model, onAdapter)
  const { info, stats } = first
  const prompt = promptOf(COLD_PROMPT.length, info.vocabularySize)
  const { greedy } = await first.logits(prompt, { greedy: COLD_PROMPT.tokens })
  await first.close()
  const colds: ColdLoad[] = []
  const shares: Record<'kept' | 'dropped', number[]> = { kept: [], dropped: [] }
  for (let i = 1; i <= repeats; i++) {
    note(`load ${i} of ${repeats}, with an empty shader cache, in a process of its own`)
    const cold = await coldLoad(model, adapter)
    checkIds('After a cold load', cold.ids, greedy)
    colds.push(cold)
    for (const state of ['kept', 'dropped'] as const) {
      note(
        `load ${i} of ${repeats}, files ${state === 'kept' ? 'in' : 'dropped from'} the page cache`,
      )
      const share = await shareOf(info.path, state === 'dropped', async () => {
        const { onProgress, times } = watchLoad()
        const engine = await Engine.load(model, { ...onAdapter, onProgress })
        const took = times().weights
        const again = await engine.logits(prompt, { greedy: COLD_PROMPT.tokens })
        await engine.close()
        checkIds('After a load', again.greedy, greedy)
        return took
      })
      if (share !== null) shares[state].push(share)
    }
  }
  return {
    model: info.id,
    weights: info.weights,
    adapter: stats.adapter.name,
    driver: driverNamed(stats.adapter),
    figures: figuresOf(colds, shares, await tuningReads()),
  }
}

/** Reading over loading, in percent, with files in the page cache, or dropped from it before each; null: not to be had. */
async function shareOf(
  folder: string,
  isDropped: boolean,
  load: () => Promise<number>,
): Promise<number | null> {
  const prepare = async (): Promise<boolean> =>
    isDropped ? dropFromPageCache(folder) : (await readSeconds(folder)) > 0
  if (!(await prepare())) return null
  const read = await readSeconds(folder)
  await prepare()
  return (read / (await load())) * 100
}

/** Milliseconds that reading a file of many tunings takes, the first time and later ones. */
async function tuningReads(): Promise<number[]> {
  const adapter = { name: 'made up', vendor: '', driver: 'gpu', caps: { subgroupMin: 8 } } as never
  const before = process.env.ILLUMINATOR_CACHE
  const folder = await mkdtemp(join(tmpdir(), 'tunings-'))
  process.env.ILLUMINATOR_CACHE = folder
  try {
    const tuning = { LANES: 8, QUADS: 1, SPLIT: 1, SHUFFLE: 1, TILE_ROWS: 4, TURNS: 0 }
    const kept = {
      one: tuning,
      several: tuning,
      many: tuning,
      versions: { one: '0123abcd', several: '0123abcd', many: '0123abcd' },
    }
    const names = Array.from(
      { length: TUNINGS },
      (_, i) => `linear affine4/32/bf16 ${i * 64} × 576`,
    )
    keepTunings(adapter, new Map(names.map((name) => [name, kept])))
    return Array.from({ length: 5 }, () => {
      const start = performance.now()
      readTunings(adapter, (message) => {
        throw new Error(message)
      })
      return performance.now() - start
    })
  } finally {
    if (before === undefined) delete process.env.ILLUMINATOR_CACHE
    else process.env.ILLUMINATOR_CACHE = before
    await rm(folder, { recursive: true })
  }
}

export function figuresOf(
  colds: readonly ColdLoad[],
  shares: Readonly<Record<'kept' | 'dropped', readonly number[]>>,
  tunings: readonly number[],
): Figure[] {
  const figure = (
    name: string,
    unit: string,
    values: readonly number[],
    wanted?: Wanted,
  ): Figure[] => {
    if (values.length === 0) return []
    const runs = values.length
    return [{ name, unit, runs, ...spreadOf(values), ...(wanted ? { wanted } : {}) }]
  }
  const of = (key: 'total' | 'pipelines' | 'pipelinesProcessor'): number[] =>
    colds.map((one) => one[key])
  const enough: Wanted = { is: '>=', bound: 60 }
  return [
    ...figure('load: pipelines, cold', 's', of('pipelines'), { is: '<=', bound: 4 }),
    ...figure('load: pipelines, cold, of the processors', 's', of('pipelinesProcessor')),
    ...figure('load, cold', 's', of('total')),
    ...figure('weights: of the reading speed, from the disk', '%', shares.dropped, enough),
    ...figure('weights: of the reading speed, from the page cache', '%', shares.kept, enough),
    ...figure(`${TUNINGS} kept tunings, read`, 'ms', tunings, { is: '<=', bound: 20 }),
  ]
}
