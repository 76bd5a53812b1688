/**
 * Serving many at once: throughput, prefixes, admission beside streams, event loops, drafts. Every repeat measures all
 * sides of a ratio one after another, so that a slow spell falls on each, and checks every output: a wrong one is an
 * error, not a figure.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Engine, type LoadOptions } from '../../engine/index.ts'
import { driverNamed } from '../driver-name.ts'
import { expandBf16 } from '../expand-bf16.ts'
import type { Figure } from '../figures.ts'
import { admission } from './serving/admission.ts'
import { firstToken } from './serving/first-token.ts'
import type { Prepare, Scenario, ServingEngine, ServingSizes } from './serving/scenario.ts'
import { secondTurn } from './serving/second-turn.ts'
import { DRAFTS, speculation } from './serving/speculation.ts'
import { throughput } from './serving/throughput.ts'

export interface ServingOptions {
  readonly model: string | undefined
  /** Folder of the model's BF16 form; it is written for the run where none is given. */
  readonly bf16: string | undefined
  readonly load: LoadOptions
  readonly sizes: ServingSizes
  readonly repeats: number
  /** Seconds after which a scenario is repeated no more, once it ran twice. */
  readonly budget: number
  /** Hears of every step of the work. */
  readonly note: (message: string) => void
}

export interface ServingBench {
  readonly model: string
  readonly weights: string
  readonly adapter: string
  readonly driver: string
  readonly figures: Figure[]
}

type Load = (model: string | undefined, options: LoadOptions) => Promise<ServingEngine>

const SIZES: ServingSizes = {
  decode: 48,
  shared: 1000,
  admitted: 1000,
  around: 16,
  answer: 64,
  drafted: 96,
}
export const SHORT_SERVING = { sizes: SIZES, repeats: 5, budget: 30 }
export const FULL_SERVING = {
  sizes: { ...SIZES, answer: 128, drafted: 192 },
  repeats: 11,
  budget: 300,
}

/** Scenarios of the model as it is; `throughput` runs again on its BF16 form, and `speculation` needs an engine that drafts. */
const ON_THE_MODEL: Readonly<Record<string, Prepare>> = {
  throughput,
  'first token': firstToken,
  'second turn': secondTurn,
  admission,
}

/** Loads one engine after another and closes each. Throws EngineError, BenchError. */
export async function benchServing(
  options: ServingOptions,
  load: Load = (...all) => Engine.load(...all),
): Promise<ServingBench> {
  const { model, note } = options
  const opened = await withEngine(options, load, model, {}, async (engine) => ({
    path: engine.info.path,
    model: engine.info.id,
    weights: engine.info.weights,
    adapter: engine.stats.adapter.name,
    driver: driverNamed(engine.stats.adapter),
    figures: await runScenarios(engine, ON_THE_MODEL, options),
  }))
  const { path, ...told } = opened
  const drafting = { speculate: DRAFTS }
  const ahead = await withEngine(options, load, model, drafting, (engine) =>
    runScenarios(engine, { speculation }, options),
  )
  const figures = [...told.figures, ...ahead]
  if (told.weights === 'bf16') {
    note('the model is BF16 as it is: its throughput is not measured again')
    return { ...told, figures }
  }
  const bf16 = await inBf16(options, path, (folder) =>
    withEngine(options, load, folder, {}, (engine) =>
      runScenarios(engine, { 'throughput in BF16': throughput }, options),
    ),
  )
  return { ...told, figures: [...figures, ...bf16] }
}

async function withEngine<T>(
  options: ServingOptions,
  load: Load,
  model: string | undefined,
  more: LoadOptions,
  use: (engine: ServingEngine) => Promise<T>,
): Promise<T> {
  options.note(`loading ${model ?? 'the default model'}`)
  const engine = await load(model, { ...options.load, ...more })
  try {
    return await use(engine)
  } finally {
    await engine.close()
  }
}

/** Gives `use` the folder of the BF16 form; one that was written for it is removed again. */
async function inBf16<T>(
  { bf16, note }: ServingOptions,
  source: string,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  if (bf16 !== undefined) return use(bf16)
  const scratch = await mkdtemp(join(tmpdir(), 'illuminator-bench-bf16-'))
  try {
    note(`writing the BF16 form into ${scratch}; --bf16 takes a folder that is there`)
    await expandBf16(source, scratch)
    return await use(scratch)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Warm-up and checks first, then the scenarios in turn, repeat by repeat, so that a slow spell falls on all of them. */
async function runScenarios(
  engine: ServingEngine,
  scenarios: Readonly<Record<string, Prepare>>,
  { sizes, repeats, budget, note }: ServingOptions,
): Promise<Figure[]> {
  const ready: { name: string; scenario: Scenario; spent: number }[] = []
  for (const [name, prepare] of Object.entries(scenarios)) {
    note(`warm-up: ${name}`)
    ready.push({ name, scenario: await prepare(engine, sizes), spent: 0 })
  }
  for (let number = 0; number < repeats; number++) {
    for (const one of ready) {
      if (number > 1 && one.spent > budget) continue
      const start = performance.now()
      await one.scenario.repeat(number)
      const took = (performance.now() - start) / 1000
      one.spent += took
      note(`repeat ${number + 1} of ${repeats}: ${one.name}, ${took.toFixed(1)} s`)
    }
  }
  const figures: Figure[] = []
  for (const { scenario } of ready) figures.push(...(await scenario.figures()))
  return figures
}
