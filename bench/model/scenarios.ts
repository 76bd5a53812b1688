/** What is timed of a loaded model, in turns: prompts of several lengths, decoding after them, many sequences at once. */
import type { Engine } from '../../engine/index.ts'
import { freshSalt } from '../cold.ts'
import { checkIds } from '../greedy.ts'
import { promptOf } from '../prompts.ts'

/** What the suite needs of an engine: tests hand in a stand-in. */
export type BenchEngine = Pick<Engine, 'generate' | 'logits' | 'close' | 'info' | 'stats'>

export interface ScenarioSizes {
  /** Prompt lengths whose prefill is timed. */
  readonly prefill: readonly number[]
  /** Prompt lengths after which decoding is timed. */
  readonly decode: readonly number[]
  /** Sequences that decode at once. */
  readonly batch: readonly number[]
  /** Tokens decoded after each. */
  readonly tokens: number
  readonly repeats: number
  /** Seconds after which a scenario is repeated no more, once it ran twice: slow adapters. */
  readonly budget: number
  readonly note: (message: string) => void
}

/** Prompts of that length, each decoded for `tokens`. */
export interface Scenario {
  readonly prompt: number
  readonly sequences: number
  readonly tokens: number
  /** The prompt is computed each time; else its keys and values are found, and only decoding is timed. */
  readonly timesPrefill: boolean
}

export interface Sample {
  /** Milliseconds: of the prompts' first tokens the earliest, and the end of all. */
  readonly firstToken: number
  readonly total: number
  /** Of all sequences. */
  readonly tokensPerSecond: number
}

/** Tokens of the prompts that many sequences decode after. */
const BATCH_PROMPT = 32
/** Two tokens at least: the first token of the second call must be checked too. */
const FEWEST = 2

/** One generation for each length, one for each number of sequences; what exceeds the context is left out, with a note. */
export function scenariosFor(
  {
    prefill,
    decode,
    batch,
    tokens,
  }: Pick<ScenarioSizes, 'prefill' | 'decode' | 'batch' | 'tokens'>,
  contextLength: number,
  note: (message: string) => void,
): Scenario[] {
  const lengths = [...new Set([...prefill, ...decode])].sort((a, b) => a - b)
  const alone = lengths.map((prompt): Scenario => {
    const wanted = decode.includes(prompt) ? tokens : FEWEST
    return { prompt, sequences: 1, tokens: wanted, timesPrefill: prefill.includes(prompt) }
  })
  const together = batch.map((sequences): Scenario => {
    return { prompt: BATCH_PROMPT, sequences, tokens, timesPrefill: false }
  })
  return [...alone, ...together].filter(({ prompt, tokens: wanted }) => {
    const fits = prompt + wanted <= contextLength
    if (!fits) note(`left out: ${prompt} + ${wanted} tokens exceed the context of ${contextLength}`)
    return fits
  })
}

/** Warm-up and checks first, then the scenarios in turn, repeat by repeat, so that a slow spell falls on all of them. */
export async function timeScenarios(
  engine: BenchEngine,
  sizes: ScenarioSizes,
): Promise<Map<Scenario, Sample[]>> {
  const { note, repeats, budget } = sizes
  const scenarios = scenariosFor(sizes, engine.info.contextLength, note)
  const longest = Math.max(0, ...scenarios.map(({ prompt }) => prompt))
  const prompts = (one: Scenario): number[][] => promptsOf(one, longest, engine.info.vocabularySize)
  const expected = new Map<Scenario, number[][]>()
  for (const scenario of scenarios) {
    note(`warm-up: ${titleOf(scenario)}`)
    const all: number[][] = []
    for (const ids of prompts(scenario)) {
      all.push((await engine.logits(ids, { greedy: scenario.tokens })).greedy)
    }
    expected.set(scenario, all)
  }
  const samples = new Map<Scenario, Sample[]>(scenarios.map((scenario) => [scenario, []]))
  for (let repeat = 1; repeat <= repeats; repeat++) {
    note(`repeat ${repeat} of ${repeats}`)
    for (const [scenario, taken] of samples) {
      const spent = taken.reduce((sum, { total }) => sum + total / 1000, 0)
      if (taken.length > 1 && spent > budget) continue
      taken.push(await sample(engine, scenario, prompts(scenario), expected.get(scenario) ?? []))
    }
  }
  return samples
}

const titleOf = ({ prompt, sequences }: Scenario): string =>
  `${prompt} prompt tokens${sequences > 1 ? `, ${sequences} sequences` : ''}`

/** Where only decoding is timed, lengths are beginnings of one prompt: each token of it is computed once. */
function promptsOf(one: Scenario, longest: number, vocabulary: number): number[][] {
  if (one.sequences > 1) {
    return Array.from({ length: one.sequences }, (_, i) => promptOf(one.prompt, vocabulary, i + 1))
  }
  const ids = one.timesPrefill ? promptOf(one.prompt, vocabulary) : promptOf(longest, vocabulary)
  return [ids.slice(0, one.prompt)]
}

async function sample(
  engine: BenchEngine,
  { prompt, sequences, tokens, timesPrefill }: Scenario,
  prompts: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
): Promise<Sample> {
  // The same prompt was there before: without a salt of its own it is found in the cache, not computed.
  const cacheSalt = timesPrefill ? freshSalt() : ''
  const options = { maxTokens: tokens, temperature: 0, ignoreEos: true, cacheSalt }
  const results = await Promise.all(prompts.map((ids) => engine.generate(ids, options).result()))
  for (const [i, { ids }] of results.entries()) {
    const company = sequences > 1 ? ` beside ${sequences - 1} others` : ''
    checkIds(`After ${prompt} prompt tokens${company}`, ids, expected[i] ?? [])
  }
  const times = results.map(({ timings }) => timings)
  if (times.length === 1 && times[0]) return times[0]
  const firstToken = Math.min(...times.map((one) => one.firstToken))
  const total = Math.max(...times.map((one) => one.total))
  const rate = (sequences * (tokens - 1) * 1000) / (total - firstToken)
  return { firstToken, total, tokensPerSecond: rate }
}
