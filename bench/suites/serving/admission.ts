/** A long cold prompt is admitted beside running streams: how evenly their tokens still come. */

import { freshSalt } from '../../cold.ts'
import { BenchError } from '../../failure.ts'
import type { Figure } from '../../figures.ts'
import { checkIds } from '../../greedy.ts'
import { promptOf } from '../../prompts.ts'
import { percentileOf, spreadOf } from '../../statistics.ts'
import { figureOf, greedy, type Prepare, type Scenario, type ServingEngine } from './scenario.ts'
import { gapsOf, newStream, readInto, type Stream } from './streams.ts'

/** Text, so that nearly every token shows at once: where a character takes several, they come together. */
const STREAMS: readonly string[] = [
  'The lighthouse keeper had not spoken to anyone for eleven days when the boat finally came.',
  'To bake a good loaf of bread you need only four things: flour, water, salt and time. First,',
  'The history of the railway begins long before the first steam engine. In the mines of',
  'Every morning the two gardeners argued about the roses, and every evening they agreed that',
]
/** Decoded after the long prompt: its ids must be right too. */
const TOKENS = 4

interface Admission {
  readonly streams: readonly Stream[]
  /** When the long prompt was sent, and when its first token came. */
  readonly from: number
  readonly to: number
}

interface Sample {
  readonly median: number
  readonly p99: number
  /** Median of the gaps before and after. */
  readonly undisturbed: number
  readonly firstToken: number
}

export const admission: Prepare = async (engine, { admitted, around }): Promise<Scenario> => {
  const prompts = STREAMS.map((text) => engine.tokenize(text))
  const long = promptOf(admitted, engine.info.vocabularySize)
  const runLong = () =>
    engine.generate(long, { ...greedy(TOKENS), cacheSalt: freshSalt() }).result()
  const { ids: expected } = await runLong()
  const { maxTokens: _, ...endless } = greedy(1)
  const all: Admission[] = []
  return {
    async repeat() {
      const streams = prompts.map(newStream)
      const crowd = new Crowd(streams, around)
      const reading = Promise.all(
        streams.map((stream, i) =>
          readInto(stream, engine.generate(prompts[i] ?? [], endless), () => crowd.note()),
        ),
      )
      // Where the long prompt fails, its error is the one to tell.
      reading.catch(() => undefined)
      await Promise.race([crowd.isRunning, reading])
      const from = performance.now()
      const { ids, timings } = await runLong()
      crowd.finish()
      await reading
      // Steps of streams that were left are still under way: whatever is measured next must not wait for them.
      await engine.generate(long.slice(0, 1), greedy(1)).result()
      checkIds(`After ${admitted} tokens beside ${streams.length} streams`, ids, expected)
      all.push({ streams, from, to: from + timings.firstToken })
    },
    async figures() {
      await checkStreams(engine, prompts, all)
      return figuresOf(all.map(sampleOf), admitted)
    },
  }
}

/** Streams that are watched: all must have run a while before the admission, and must run on a while after it. */
class Crowd {
  readonly #streams: readonly Stream[]
  readonly #around: number
  readonly isRunning: Promise<void>
  #run: () => void = () => undefined
  #until: number[] | null = null

  constructor(streams: readonly Stream[], around: number) {
    this.#streams = streams
    this.#around = around
    this.isRunning = new Promise((resolve) => {
      this.#run = resolve
    })
  }

  /** Tokens came; true when all streams may leave. */
  note(): boolean {
    if (this.#streams.every(({ ids }) => ids.length >= this.#around)) this.#run()
    return this.#until?.every((wanted, i) => (this.#streams[i]?.ids.length ?? 0) >= wanted) ?? false
  }

  /** The long prompt is through. */
  finish(): void {
    this.#until = this.#streams.map(({ ids }) => ids.length + this.#around)
  }
}

/** Afterwards, since only now it is known how far the streams came: without the long prompt the ids must be the same. */
async function checkStreams(
  engine: ServingEngine,
  prompts: readonly (readonly number[])[],
  all: readonly Admission[],
): Promise<void> {
  const lengths = all.flatMap(({ streams }) => streams.map(({ ids }) => ids.length))
  const options = { ...greedy(Math.max(...lengths)), cacheSalt: freshSalt() }
  const undisturbed = await Promise.all(
    prompts.map((prompt) => engine.generate(prompt, options).result()),
  )
  for (const { streams } of all) {
    for (const [i, { ids }] of streams.entries()) {
      const expected = undisturbed[i]?.ids.slice(0, ids.length) ?? []
      checkIds(`Stream ${i} beside an admission:`, ids, expected)
    }
  }
}

/** Gaps that lie in the admission, wholly or in part, and the others. */
function sampleOf({ streams, from, to }: Admission): Sample {
  const gaps = streams.flatMap(gapsOf)
  const isWithin = ({ at, ms }: { at: number; ms: number }): boolean => at > from && at - ms < to
  const within = gaps.filter(isWithin).map(({ ms }) => ms)
  const outside = gaps.filter((gap) => !isWithin(gap)).map(({ ms }) => ms)
  if (within.length === 0 || outside.length === 0) {
    throw new BenchError('No tokens came beside the admission, or none before and after it.')
  }
  return {
    median: spreadOf(within).median,
    p99: percentileOf(within, 0.99),
    undisturbed: spreadOf(outside).median,
    firstToken: to - from,
  }
}

function figuresOf(samples: readonly Sample[], admitted: number): Figure[] {
  const of = (change: (sample: Sample) => number): number[] => samples.map(change)
  const beside = `gaps of ${STREAMS.length} streams beside ${admitted} cold tokens`
  return [
    figureOf(
      `${beside}: median`,
      'ms',
      of(({ median }) => median),
    ),
    figureOf(
      `${beside}: p99`,
      'ms',
      of(({ p99 }) => p99),
    ),
    figureOf(
      `${beside}: p99 over median`,
      'x',
      of(({ p99, median }) => p99 / median),
      {
        is: '<=',
        bound: 3,
      },
    ),
    figureOf(
      `${beside}: p99 over the median without them`,
      'x',
      of(({ p99, undisturbed }) => p99 / undisturbed),
    ),
    figureOf(
      `first token, ${admitted} cold beside ${STREAMS.length} streams`,
      'ms',
      of(({ firstToken }) => firstToken),
    ),
  ]
}
