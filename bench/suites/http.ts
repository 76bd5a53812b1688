/**
 * What the HTTP layer costs: the same prompts over a socket and from the engine directly, in one process, one after the
 * other in every repeat, so that a slow spell falls on both. Texts that differ are an error, not a figure.
 */
import { Engine, type LoadOptions } from '../../engine/index.ts'
import { type ServedEngine, serve } from '../../server/index.ts'
import { driverNamed } from '../driver-name.ts'
import { BenchError } from '../failure.ts'
import type { Figure, Wanted } from '../figures.ts'
import { promptOf } from '../prompts.ts'
import { type Asked, type Clients, startClients } from './http/client.ts'
import { figureOf, greedy, ratiosOf } from './serving/scenario.ts'

export interface HttpOptions {
  readonly model: string | undefined
  readonly load: LoadOptions
  /** Of each answer. */
  readonly tokens: number
  readonly repeats: number
  /** Hears of every step of the work. */
  readonly note: (message: string) => void
}

export interface HttpBench {
  readonly model: string
  readonly weights: string
  readonly adapter: string
  readonly driver: string
  readonly figures: Figure[]
}

export const SHORT_HTTP = { tokens: 64, repeats: 9 }
export const FULL_HTTP = { tokens: 64, repeats: 25 }

const MANY = 8
const PROMPT = 24
const WANTED: Wanted = { is: '>=', bound: 0.97 }

type Load = (model: string | undefined, options: LoadOptions) => Promise<ServedEngine>

/** Loads the model, serves it on a free port of this machine, and closes both. Throws EngineError, BenchError. */
export async function benchHttp(
  options: HttpOptions,
  load: Load = (...all) => Engine.load(...all),
  clients: Clients = startClients(),
): Promise<HttpBench> {
  const { model, note } = options
  note(`loading ${model ?? 'the default model'}`)
  try {
    const engine = await load(model, options.load)
    // It closes the engine with it.
    const server = await serve({ port: 0, load: async () => engine, log: note })
    try {
      await server.ready
      const figures = await compare(engine, clients, server.url, options)
      const { info, stats } = engine
      const driver = driverNamed(stats.adapter)
      return {
        model: info.id,
        weights: info.weights,
        adapter: stats.adapter.name,
        driver,
        figures,
      }
    } finally {
      await server.close()
    }
  } finally {
    await clients.close()
  }
}

async function compare(
  engine: ServedEngine,
  clients: Clients,
  url: string,
  { tokens, repeats, note }: HttpOptions,
): Promise<Figure[]> {
  const { vocabularySize } = engine.info
  const prompts = Array.from({ length: MANY }, (_, i) => promptOf(PROMPT, vocabularySize, i + 1))
  const asked = { url, prompts, tokens }
  const sides = {
    direct: { ask: () => askEngine(engine, asked), rates: [] as number[] },
    http: { ask: () => clients.ask(asked), rates: [] as number[] },
  }
  note('warm-up')
  const expected = await sides.direct.ask()
  checkTexts(await sides.http.ask(), expected)
  for (let number = 0; number < repeats; number++) {
    const order = [sides.direct, sides.http]
    for (const { ask, rates } of number % 2 ? order.reverse() : order) {
      const start = performance.now()
      const texts = await ask()
      rates.push((MANY * tokens * 1000) / (performance.now() - start))
      checkTexts(texts, expected)
    }
    note(`repeat ${number + 1} of ${repeats}`)
  }
  const { direct, http } = sides
  return [
    figureOf(`${MANY} at once, engine alone`, 'tokens/s', direct.rates),
    figureOf(`${MANY} at once, over HTTP`, 'tokens/s', http.rates),
    figureOf('over HTTP over engine alone', 'x', ratiosOf(http.rates, direct.rates), WANTED),
  ]
}

/** As a caller of the library reads answers. */
function askEngine(engine: ServedEngine, { prompts, tokens }: Asked): Promise<string[]> {
  return Promise.all(
    prompts.map(async (prompt) => {
      let whole = ''
      for await (const { text } of engine.generate(prompt, greedy(tokens))) whole += text
      return whole
    }),
  )
}

function checkTexts(found: readonly string[], expected: readonly string[]): void {
  const at = expected.findIndex((text, i) => text !== found[i])
  if (at < 0 && found.length === expected.length) return
  throw new BenchError(
    `Prompt ${at} was answered differently over HTTP or in another repeat: ${JSON.stringify(found[at])}, ` +
      `expected ${JSON.stringify(expected[at])}: no figure.`,
  )
}
