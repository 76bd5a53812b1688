/**
 * What quantizing costs: the perplexity of one text with the model's floats, and with them quantized on load to each type.
 * The model's BF16 form is the measure; the KV cache is f32, so that nothing else is rounded.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { perplexityOf } from '../../cli/eval/perplexity.ts'
import { DEFAULT_MODEL, resolveModel } from '../../engine/hub/index.ts'
import { Engine, type LoadOptions, type QuantizeType } from '../../engine/index.ts'
import { driverNamed } from '../driver-name.ts'
import { expandBf16 } from '../expand-bf16.ts'
import { BenchError } from '../failure.ts'

export interface QualityOptions {
  readonly model: string | undefined
  /** Folder of the model's BF16 form; it is written for the run where none is given. */
  readonly bf16: string | undefined
  readonly load: LoadOptions
  readonly text: string
  /** Tokens of it that count, at most. */
  readonly tokens: number
  readonly types: readonly QuantizeType[]
  readonly note: (message: string) => void
}

export interface QualityRow {
  readonly type: QuantizeType | null
  readonly weights: string
  /** Bytes of all weights on the GPU. */
  readonly bytes: number
  readonly perplexity: number
  /** Above the floats', as a fraction. */
  readonly cost: number
  /** The most that it may cost; null where nothing is wanted of it. */
  readonly most: number | null
}

export interface QualityReport {
  readonly model: string
  readonly adapter: string
  readonly driver: string
  /** Scored. */
  readonly tokens: number
  readonly rows: readonly QualityRow[]
}

/** What the suite needs of an engine: tests hand in a stand-in. */
export type QualityEngine = Pick<Engine, 'logits' | 'tokenize' | 'info' | 'stats' | 'close'>
export type LoadQuality = (model: string, options: LoadOptions) => Promise<QualityEngine>

/** Tokens that the model sees at once. */
const WINDOW = 512
const SCORED = 64
/** What a type may cost, where it is named without a group: the fraction that perplexity may rise by. */
const MOST_COST: Readonly<Partial<Record<QuantizeType, number>>> = {
  int8: 0.005,
  int4: 0.06,
}

const TOKENS = 4000
export const SHORT_QUALITY = { tokens: TOKENS, types: ['int8', 'int4'] } as const
export const FULL_QUALITY = {
  tokens: TOKENS,
  types: ['int8', 'int8/64', 'int8/128', 'int4', 'int4/64', 'int4/128'],
} as const

/** Loads one engine after another and closes each. Throws EngineError, BenchError where there is nothing to compare. */
export async function measureQuality(
  options: QualityOptions,
  load: LoadQuality = (...all) => Engine.load(...all),
): Promise<QualityReport> {
  if (options.bf16 !== undefined) return compare(options, options.bf16, load)
  const scratch = await mkdtemp(join(tmpdir(), 'illuminator-'))
  try {
    const { folder, id } = await resolveModel(options.model ?? DEFAULT_MODEL)
    const bf16 = join(scratch, basename(id))
    options.note('writing the BF16 form of the model')
    await expandBf16(folder, bf16)
    return await compare(options, bf16, load)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function compare(
  { load: loading, text, tokens, types, note }: QualityOptions,
  folder: string,
  load: LoadQuality,
): Promise<QualityReport> {
  const rows: QualityRow[] = []
  let facts: Omit<QualityReport, 'rows'> | null = null
  for (const type of [null, ...types]) {
    const engine = await load(folder, {
      ...loading,
      ...(type === null ? {} : { quantize: type }),
      kv: 'f32',
      // As many rows are scored in a step as sequences could choose a token in it.
      maxSequences: SCORED,
      contextLength: WINDOW,
    })
    try {
      const ids = engine.tokenize(text).slice(0, tokens)
      const window = { window: WINDOW, stride: WINDOW - 1 }
      const { perplexity, tokens: scored } = await perplexityOf(engine, ids, window)
      const { info, stats } = engine
      const { adapter } = stats
      facts ??= {
        model: info.id,
        adapter: adapter.name,
        driver: driverNamed(adapter),
        tokens: scored,
      }
      const [floats = { perplexity }] = rows
      const cost = perplexity / floats.perplexity - 1
      const bytes = stats.memory.byPurpose.weights ?? 0
      const most = (type && MOST_COST[type]) ?? null
      rows.push({ type, weights: info.weights, bytes, perplexity, cost, most })
      note(`${type ?? 'as it is'}: perplexity ${perplexity.toFixed(4)}`)
    } finally {
      await engine.close()
    }
  }
  if (!facts) throw new BenchError('There is nothing to compare.')
  return { ...facts, rows }
}
