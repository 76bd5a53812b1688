/**
 * Tokens a second of a whole model through the public Engine: prefill, time to first token, decode over context and in
 * company, and the load. Greedy ids must be equal in every repeat and equal to those of `engine.logits`, else there is no
 * figure.
 */
import { Engine, type LoadOptions } from '../../engine/index.ts'
import { driverNamed } from '../driver-name.ts'
import type { Figure } from '../figures.ts'
import { besideProbes, figuresOf, overContext } from '../model/figures.ts'
import { type Floors, floorsOf } from '../model/floors.ts'
import { coldLoad, type LoadTimes, readSeconds, watchLoad } from '../model/loading.ts'
import { type BenchEngine, type ScenarioSizes, timeScenarios } from '../model/scenarios.ts'
import { spreadOf } from '../statistics.ts'

export interface ModelBenchOptions extends ScenarioSizes {
  readonly model: string | undefined
  readonly adapter: string | undefined
  /** Times the model is loaded. */
  readonly loads: number
}

export interface ModelBench {
  readonly model: string
  readonly weights: string
  readonly adapter: string
  readonly driver: string
  readonly dispatchesPerToken: number
  readonly figures: Figure[]
}

/** What the suite asks of the world: tests hand in stand-ins. */
export interface ModelSources {
  load(model: string | undefined, options: LoadOptions): Promise<BenchEngine>
  readSeconds(folder: string): Promise<number>
  coldLoad(model: string | undefined, adapter: string | undefined): Promise<LoadTimes>
  floors(model: string | undefined, adapter: string | undefined): Promise<Floors>
}

const REAL: ModelSources = {
  load: (model, options) => Engine.load(model, options),
  readSeconds,
  coldLoad,
  floors: floorsOf,
}

/** Sizes for a short run and for a full one. */
export const SHORT = {
  prefill: [16, 128],
  decode: [32, 512],
  batch: [8],
  tokens: 24,
  repeats: 3,
  budget: 15,
  loads: 2,
}
export const FULL = {
  prefill: [16, 128, 512, 2048],
  decode: [32, 256, 512, 1024, 1536, 2048],
  batch: [4, 8, 16],
  tokens: 64,
  repeats: 5,
  budget: 120,
  loads: 4,
}

interface Load extends LoadTimes {
  /** Seconds that reading the files took right before. */
  readonly read: number
}

/** Loads the model, times it, closes it. Throws EngineError, GpuError, BenchError. */
export async function benchModel(
  options: ModelBenchOptions,
  sources: ModelSources = REAL,
): Promise<ModelBench> {
  const { model, adapter, note } = options
  note('load with an empty shader cache, in a process of its own')
  const cold = await sources.coldLoad(model, adapter)
  const loads: Load[] = []
  let { engine, times } = await timedLoad(options, sources)
  try {
    for (let i = 1; i <= options.loads; i++) {
      note(`load ${i} of ${options.loads}`)
      const { path } = engine.info
      await engine.close()
      const read = await sources.readSeconds(path)
      const again = await timedLoad(options, sources)
      engine = again.engine
      times = again.times
      loads.push({ ...times, read })
    }
    const samples = await timeScenarios(engine, options)
    const { info, stats } = engine
    await engine.close()
    note('what a token must take at least: its dispatches, and the probes')
    const floors = await sources.floors(model, adapter)
    return {
      model: info.id,
      weights: info.weights,
      adapter: stats.adapter.name,
      driver: driverNamed(stats.adapter),
      dispatchesPerToken: stats.dispatchesPerToken,
      figures: [
        ...loadFigures(loads, cold),
        ...figuresOf(samples),
        ...overContext(samples),
        ...besideProbes(samples, floors, info.weights),
      ],
    }
  } finally {
    await engine.close()
  }
}

async function timedLoad(
  { model, adapter }: ModelBenchOptions,
  sources: ModelSources,
): Promise<{ engine: BenchEngine; times: LoadTimes }> {
  const { onProgress, times } = watchLoad()
  const engine = await sources.load(model, { ...(adapter ? { adapter } : {}), onProgress })
  return { engine, times: times() }
}

function loadFigures(loads: readonly Load[], cold: LoadTimes): Figure[] {
  const figure = (name: string, unit: string, values: readonly number[]): Figure => ({
    name,
    unit,
    runs: values.length,
    ...spreadOf(values),
  })
  const share = loads.map(({ read, weights }) => (read / weights) * 100)
  return [
    figure(
      'load',
      's',
      loads.map(({ total }) => total),
    ),
    {
      ...figure('load: weights, of the speed their files are read with', '%', share),
      wanted: { is: '>=', bound: 60 },
    },
    figure(
      'load: pipelines, compiled before',
      's',
      loads.map(({ pipelines }) => pipelines),
    ),
    {
      ...figure('load: pipelines, cold', 's', [cold.pipelines]),
      wanted: { is: '<=', bound: 4 },
    },
    figure('load, cold', 's', [cold.total]),
  ]
}
