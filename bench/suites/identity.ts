/**
 * "The same tokens whatever the company": every prompt is answered alone and cold, greedily and by a seed, and then under
 * every condition that could change what is computed beside it, before it or in which pieces. Ids must be equal, all of
 * them. A condition that did not come about (no prefix was found, nobody was sent back) is reported as missed.
 */
import type { GenerateOptions, LoadOptions } from '../../engine/index.ts'
import { Random } from '../../kernels/kernel.ts'
import { driverNamed } from '../driver-name.ts'
import { relatedPrompts } from '../prompts.ts'
import {
  afterCuts,
  alone,
  arriving,
  type IdentityEngine,
  longestOf,
  PAGE,
  secondRuns,
  sentBack,
  severalChoices,
  together,
  type World,
} from './identity-conditions.ts'
import { type Case, type IdentityReport, Tally } from './identity-tally.ts'

export interface IdentityOptions {
  /** How many; each is answered greedily and by a seed. */
  readonly prompts: number
  /** Ids of each answer. */
  readonly tokens: number
  /** Of the prompts. */
  readonly seed: number
  /** Loads the model under test. */
  readonly load: (options: LoadOptions) => Promise<IdentityEngine>
  /** Hears of every condition before it is tried. */
  readonly note: (message: string) => void
}

export interface IdentityBench extends IdentityReport {
  readonly model: string
  readonly weights: string
  readonly adapter: string
  readonly driver: string
}

/** Twelve prompts of 48 ids, each greedy and seeded. */
export const SHORT_IDENTITY = { prompts: 12, tokens: 48, seed: 1 }
export const FULL_IDENTITY = { prompts: 40, tokens: 64, seed: 1 }

/** Random orders of arrival. */
const ORDERS = 3
const CHUNKS = [16, 64, 512]
/** Prompts whose second runs come at once. */
const BATCH = 8
const SAMPLED: GenerateOptions = { temperature: 0.9, topK: 40, topP: 0.95 }

/** Loads and closes several engines over the model, one after another. Throws EngineError. */
export async function checkIdentity(options: IdentityOptions): Promise<IdentityBench> {
  const { tokens, note } = options
  let facts = {} as Omit<IdentityBench, keyof IdentityReport>
  const tally = new Tally()
  let salts = 0
  for (const kv of ['f16', 'int8'] as const) {
    const random = new Random(7)
    const world: World = { tally, random, kv, tokens, note, salt: () => `identity ${salts++}` }
    const { cases, pageBytes } = await withEngine(world, options, {}, async (engine) => {
      const { id, weights, vocabularySize } = engine.info
      const { memory, pages, adapter } = engine.stats
      facts = { model: id, weights, adapter: adapter.name, driver: driverNamed(adapter) }
      const prompts = relatedPrompts(options.prompts, vocabularySize, options.seed)
      const references = await answerAlone(world, engine, promptsFor(kv, prompts))
      await onOne(world, engine, references)
      return { cases: references, pageBytes: (memory.byPurpose['kv-cache'] ?? 0) / pages.total }
    })
    const several = cases.filter(({ prompt }) => prompt.length > PAGE)
    for (const prefillChunk of kv === 'f16' ? CHUNKS : CHUNKS.slice(0, 1)) {
      await withEngine(world, options, { prefillChunk }, (engine) =>
        together(world, engine, several, `prompts in chunks of ${prefillChunk}`, 16),
      )
    }
    const pages = Math.ceil((longestOf(cases) + tokens) / PAGE)
    const scarce = { contextLength: pages * PAGE, kvMemory: Math.ceil(pages * 1.5) * pageBytes }
    // Whoever starts leaves a page for each that runs: so short answers never want another's.
    if (tokens <= 2 * PAGE) continue
    await withEngine(world, options, scarce, (engine) => sentBack(world, engine, cases))
  }
  return { ...facts, ...tally.report }
}

/** Of int8 as much as has to do with the cache's type. */
const promptsFor = (kv: World['kv'], prompts: readonly (readonly number[])[]) =>
  kv === 'f16' ? prompts : prompts.filter((_, index) => index % 4 === 1)

async function withEngine<T>(
  { kv }: World,
  { load }: IdentityOptions,
  more: LoadOptions,
  use: (engine: IdentityEngine) => Promise<T>,
): Promise<T> {
  const engine = await load({ kv, ...more })
  try {
    return await use(engine)
  } finally {
    await engine.close()
  }
}

/** The references, one after another; now and then the second runs of the last few, while the cache has them. */
async function answerAlone(
  world: World,
  engine: IdentityEngine,
  prompts: readonly (readonly number[])[],
): Promise<readonly Case[]> {
  world.note(`${world.kv}: every prompt alone and cold`)
  const cases: Case[] = []
  let fresh: { one: Case; cacheSalt: string }[] = []
  for (const [index, prompt] of prompts.entries()) {
    const seeded = { ...SAMPLED, seed: 1000 + index * 7919 }
    for (const options of [{ temperature: 0 }, seeded]) {
      const how = options === seeded ? 'seeded' : 'greedy'
      const what = `prompt ${index} (${prompt.length} tokens), ${how}`
      const cacheSalt = world.salt()
      const one = await alone(world, engine, { what, prompt, options }, cacheSalt)
      cases.push(one)
      fresh.push({ one, cacheSalt })
    }
    if ((index + 1) % BATCH !== 0 && index + 1 < prompts.length) continue
    await secondRuns(world, engine, fresh)
    fresh = []
  }
  return cases
}

/** Every condition that needs no engine of its own. */
async function onOne(world: World, engine: IdentityEngine, cases: readonly Case[]): Promise<void> {
  await together(world, engine, cases, 'among 8 others', 9)
  for (let order = 0; order < (world.kv === 'f16' ? ORDERS : 1); order++) {
    await arriving(world, engine, cases)
  }
  await afterCuts(world, engine, cases)
  if (world.kv === 'f16') await severalChoices(world, engine, cases)
}
