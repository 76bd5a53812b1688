/**
 * Tokens a second of a whole model through the public Engine: prefill, time to first token, decode, load. Greedy ids must
 * be equal in every repeat and equal to those of `engine.logits`, else there is no figure.
 */
import { Engine, type LoadOptions } from '../../engine/index.ts'
import { freshSalt } from '../cold.ts'
import { driverNamed } from '../driver-name.ts'
import type { Figure } from '../figures.ts'
import { checkIds } from '../greedy.ts'
import { promptOf } from '../prompts.ts'
import { spreadOf } from '../statistics.ts'

export interface ModelBenchOptions {
  readonly model: string | undefined
  readonly load: LoadOptions
  /** Prompt lengths whose prefill is timed. */
  readonly prefill: readonly number[]
  /** Prompt lengths after which decoding is timed. */
  readonly decode: readonly number[]
  /** Tokens decoded after each. */
  readonly tokens: number
  readonly repeats: number
  /** Seconds after which a scenario is repeated no more, once it ran twice: slow adapters. */
  readonly budget: number
  /** Times the model is loaded. */
  readonly loads: number
  /** Hears of every step of the work. */
  readonly note: (message: string) => void
}

/** What the suite needs of an engine: tests hand in a stand-in. */
export type BenchEngine = Pick<Engine, 'generate' | 'logits' | 'close' | 'info' | 'stats'>

export interface ModelBench {
  readonly model: string
  readonly weights: string
  readonly adapter: string
  readonly driver: string
  readonly dispatchesPerToken: number
  readonly figures: Figure[]
}

/** A prompt of that length and the tokens to decode after it. */
interface Scenario {
  readonly prompt: number
  readonly tokens: number
  readonly timesPrefill: boolean
}

interface Sample {
  readonly firstToken: number
  readonly total: number
  readonly tokensPerSecond: number
}

/** Sizes for a short run and for a full one. */
export const SHORT = {
  prefill: [16, 128, 512],
  decode: [32, 512],
  tokens: 24,
  repeats: 3,
  budget: 15,
  loads: 1,
}
export const FULL = {
  prefill: [16, 128, 512, 2048],
  decode: [32, 512, 2048],
  tokens: 64,
  repeats: 5,
  budget: 120,
  loads: 3,
}

/** Loads the model, times it, closes it. Throws EngineError, BenchError. */
export async function benchModel(
  options: ModelBenchOptions,
  load: (model: string | undefined, options: LoadOptions) => Promise<BenchEngine> = (...all) =>
    Engine.load(...all),
): Promise<ModelBench> {
  const loads: number[] = []
  for (let i = 1; i < options.loads; i++) {
    options.note(`load ${i} of ${options.loads}`)
    const { engine, seconds } = await timedLoad(options, load)
    loads.push(seconds)
    await engine.close()
  }
  const { engine, seconds } = await timedLoad(options, load)
  loads.push(seconds)
  try {
    const figures = await timeScenarios(engine, options)
    return {
      model: engine.info.id,
      weights: engine.info.weights,
      adapter: engine.stats.adapter.name,
      driver: driverNamed(engine.stats.adapter),
      dispatchesPerToken: engine.stats.dispatchesPerToken,
      figures: [{ name: 'load', unit: 's', runs: loads.length, ...spreadOf(loads) }, ...figures],
    }
  } finally {
    await engine.close()
  }
}

async function timedLoad(
  options: ModelBenchOptions,
  load: (model: string | undefined, options: LoadOptions) => Promise<BenchEngine>,
): Promise<{ engine: BenchEngine; seconds: number }> {
  const start = performance.now()
  const engine = await load(options.model, options.load)
  return { engine, seconds: (performance.now() - start) / 1000 }
}

/** Warm-up and checks first, then the scenarios in turn, repeat by repeat, so that a slow spell falls on all of them. */
async function timeScenarios(engine: BenchEngine, options: ModelBenchOptions): Promise<Figure[]> {
  const scenarios = scenariosFor(options, engine.info.contextLength, options.note)
  const expected = new Map<Scenario, readonly number[]>()
  for (const scenario of scenarios) {
    options.note(`warm-up: ${scenario.prompt} prompt tokens`)
    const ids = promptOf(scenario.prompt, engine.info.vocabularySize)
    expected.set(scenario, (await engine.logits(ids, { greedy: scenario.tokens })).greedy)
  }
  const samples = new Map<Scenario, Sample[]>(scenarios.map((scenario) => [scenario, []]))
  for (let repeat = 1; repeat <= options.repeats; repeat++) {
    options.note(`repeat ${repeat} of ${options.repeats}`)
    for (const [scenario, taken] of samples) {
      const spent = taken.reduce((sum, { total }) => sum + total / 1000, 0)
      if (taken.length > 1 && spent > options.budget) continue
      taken.push(await sample(engine, scenario, expected.get(scenario) ?? []))
    }
  }
  return [...samples].flatMap(([scenario, taken]) => figuresOf(scenario, taken))
}

/** One generation for each prompt length; lengths beyond the context are left out, with a note. */
export function scenariosFor(
  { prefill, decode, tokens }: Pick<ModelBenchOptions, 'prefill' | 'decode' | 'tokens'>,
  contextLength: number,
  note: (message: string) => void,
): Scenario[] {
  const lengths = [...new Set([...prefill, ...decode])].sort((a, b) => a - b)
  return lengths.flatMap((prompt) => {
    // Two tokens at least: the first token of the second call must be checked too.
    const wanted = decode.includes(prompt) ? tokens : 2
    if (prompt + wanted <= contextLength) {
      return [{ prompt, tokens: wanted, timesPrefill: prefill.includes(prompt) }]
    }
    note(`left out: ${prompt} + ${wanted} tokens exceed the context of ${contextLength}`)
    return []
  })
}

async function sample(
  engine: BenchEngine,
  { prompt, tokens }: Scenario,
  expected: readonly number[],
): Promise<Sample> {
  const ids = promptOf(prompt, engine.info.vocabularySize)
  // The same prompt was there before: without a salt of its own it would be found in the cache, not computed.
  const options = { maxTokens: tokens, temperature: 0, ignoreEos: true, cacheSalt: freshSalt() }
  const { ids: found, timings } = await engine.generate(ids, options).result()
  checkIds(`After ${prompt} prompt tokens`, found, expected)
  return timings
}

function figuresOf(scenario: Scenario, samples: readonly Sample[]): Figure[] {
  const { prompt, tokens, timesPrefill } = scenario
  const first = samples.map((one) => one.firstToken)
  const runs = samples.length
  const figures: Figure[] = []
  if (timesPrefill) {
    const rates = first.map((ms) => (prompt / ms) * 1000)
    figures.push({ name: `prefill ${prompt}`, unit: 'tokens/s', runs, ...spreadOf(rates) })
    figures.push({ name: `first token after ${prompt}`, unit: 'ms', runs, ...spreadOf(first) })
  }
  if (tokens > 2) {
    const rates = samples.map((one) => one.tokensPerSecond)
    figures.push({ name: `decode @${prompt}`, unit: 'tokens/s', runs, ...spreadOf(rates) })
  }
  return figures
}
