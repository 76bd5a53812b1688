/** The conditions of the identity suite: each answers the cases in some company and hands the ids to the tally. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine, GenerateOptions, GenerateResult } from '../../engine/index.ts'
import type { Random } from '../../kernels/kernel.ts'
import type { Case, Tally } from './identity-tally.ts'

export type IdentityEngine = Pick<Engine, 'generate' | 'info' | 'stats' | 'close'>

export interface World {
  readonly tally: Tally
  readonly random: Random
  /** Of the engines: part of the conditions' names. */
  readonly kv: 'f16' | 'int8'
  /** Ids of each answer. */
  readonly tokens: number
  readonly note: (message: string) => void
  /** A salt that nobody used. */
  salt(): string
}

export const PAGE = 16
/** Answers at once where a condition is not about their number. */
const WIDTH = 16
/** The longest pause between two arrivals, ms. */
const PAUSE = 3
/** As engine/sampling/parameters.ts derives the seed of a further choice. */
const NEXT_SEED = 0x9e3779b1

/** Tells what is tried now; the name that counts. */
function begin({ kv, note }: World, condition: string): string {
  const name = `${kv}: ${condition}`
  note(name)
  return name
}

export const longestOf = (cases: readonly Case[]): number =>
  Math.max(...cases.map(({ prompt }) => prompt.length))

function answer(
  { tokens }: World,
  engine: IdentityEngine,
  { prompt, options }: Omit<Case, 'ids'>,
  more: GenerateOptions,
): Promise<GenerateResult> {
  const fixed = { ignoreEos: true, maxTokens: tokens }
  return engine.generate(prompt, { ...fixed, ...options, ...more }).result()
}

export async function alone(
  world: World,
  engine: IdentityEngine,
  request: Omit<Case, 'ids'>,
  cacheSalt: string,
): Promise<Case> {
  return { ...request, ids: (await answer(world, engine, request, { cacheSalt })).ids }
}

/** Again under the salts of the first runs, at once: all but a token or two of each prompt is found. */
export async function secondRuns(
  world: World,
  engine: IdentityEngine,
  runs: readonly { one: Case; cacheSalt: string }[],
): Promise<void> {
  const condition = `${world.kv}: the second run`
  await Promise.all(
    runs.map(async ({ one, cacheSalt }) => {
      const { ids, usage } = await answer(world, engine, one, { cacheSalt })
      world.tally.compare(condition, one, ids)
      if (usage.cachedTokens >= one.prompt.length - 2) return
      world.tally.miss(condition, `${one.what}: only ${usage.cachedTokens} tokens were cached`)
    }),
  )
}

/** In groups of `size` that start at once, each cold. */
export async function together(
  world: World,
  engine: IdentityEngine,
  cases: readonly Case[],
  what: string,
  size: number,
): Promise<void> {
  const condition = begin(world, what)
  const all = shuffled(cases, world.random)
  for (let at = 0; at < all.length; at += size) {
    // The last group is filled from the front.
    const group = [...all, ...all].slice(at, at + size)
    await Promise.all(
      group.map(async (one) => {
        const { ids } = await answer(world, engine, one, { cacheSalt: world.salt() })
        world.tally.compare(condition, one, ids)
      }),
    )
  }
}

/** All of them in a random order, each a moment after the one before; whoever comes finds what others left. */
export async function arriving(
  world: World,
  engine: IdentityEngine,
  cases: readonly Case[],
): Promise<void> {
  const condition = begin(world, 'arriving in any order, prefixes shared')
  const cacheSalt = world.salt()
  const running: Promise<void>[] = []
  for (const one of shuffled(cases, world.random)) {
    const work = answer(world, engine, one, { cacheSalt })
    running.push(work.then(({ ids }) => world.tally.compare(condition, one, ids)))
    await sleep((world.random.below(1000) / 1000) * PAUSE)
  }
  await Promise.all(running)
}

/** Every multiple of a page below the length, and a few other lengths. */
function cutsOf(length: number): number[] {
  const pages = Array.from({ length: Math.ceil(length / PAGE) - 1 }, (_, i) => (i + 1) * PAGE)
  const others = [Math.floor(length / 2), length - 1].filter((cut) => cut > 1 && cut % PAGE !== 0)
  return [...new Set([...pages, ...others])]
}

/** Tokens of a prompt that are found when its first `cut` were computed: one alone of a page is not worth a copy. */
const foundAfter = (cut: number): number => (cut % PAGE === 1 ? cut - 1 : cut)

/** Each cut of a prompt in one of its two cases, in turn: what is found of it is the same in both. */
export async function afterCuts(
  world: World,
  engine: IdentityEngine,
  cases: readonly Case[],
): Promise<void> {
  const condition = begin(world, 'after a prefix hit of any length')
  const work = cases.flatMap((one, index) =>
    cutsOf(one.prompt.length)
      .map((cut) => ({ one, cut }))
      .filter((_, turn) => turn % 2 === index % 2),
  )
  await inParallel(shuffled(work, world.random), WIDTH, async ({ one, cut }) => {
    const cacheSalt = world.salt()
    const warm = { ...one, prompt: one.prompt.slice(0, cut) }
    await answer(world, engine, warm, { cacheSalt, maxTokens: 1 })
    const { ids, usage } = await answer(world, engine, one, { cacheSalt })
    const at = { ...one, what: `${one.what}, ${cut} of them cached` }
    world.tally.compare(condition, at, ids)
    if (usage.cachedTokens === foundAfter(cut)) return
    world.tally.miss(condition, `${at.what}: ${usage.cachedTokens} were found`)
  })
}

/** The first of three choices is the answer that one gives; the others are those of their own seeds, alone. */
export async function severalChoices(
  world: World,
  engine: IdentityEngine,
  cases: readonly Case[],
): Promise<void> {
  const condition = begin(world, 'several choices')
  // Each takes a run alone: of the two further choices, one in turn.
  const further: Case[] = []
  for (const [index, one] of cases.entries()) {
    const choice = 1 + (Math.floor(index / 2) % 2)
    const { seed } = one.options
    const options = seed === undefined ? {} : { seed: (seed + choice * NEXT_SEED) % 2 ** 32 }
    const what = `${one.what}, choice ${choice}`
    const request = { ...one, what, options: { ...one.options, ...options } }
    further.push(seed === undefined ? request : await alone(world, engine, request, world.salt()))
  }
  await inParallel([...cases.entries()], WIDTH / 3, async ([index, one]) => {
    const { choices } = await answer(world, engine, one, { n: 3, cacheSalt: world.salt() })
    const other = further[index] as Case
    world.tally.compare(condition, one, choices[0]?.ids ?? [])
    world.tally.compare(condition, other, choices[Number(other.what.at(-1))]?.ids ?? [])
  })
}

/** On an engine with so few pages that some are sent back to the queue and come again. */
export async function sentBack(
  world: World,
  engine: IdentityEngine,
  cases: readonly Case[],
): Promise<void> {
  const condition = begin(world, 'sent back for want of pages, and resumed')
  await inParallel(shuffled(cases, world.random), cases.length, async (one) => {
    const { ids } = await answer(world, engine, one, { cacheSalt: world.salt() })
    world.tally.compare(condition, one, ids)
  })
  if (engine.stats.preemptions === 0) world.tally.miss(condition, 'nobody was sent back')
}

/** Works off `items` in their order, `width` at a time. */
async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = [...items]
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: Math.floor(width) }, worker))
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.u32() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
