/** How large the runner's buffers are: rows and sequences of a step, pages of the KV cache. Asked of the adapter, never assumed. */
import { type Device, kvPageBytes, PAGE, ROW_TILE } from '../../kernels/index.ts'
import { EngineError } from '../errors.ts'
import type { DecoderConfig } from '../models/config.ts'
import { longestContext } from '../models/context.ts'
import { heldPages, type KvGroup } from '../schedule/kv-group.ts'
import { bytesNeeded, bytesUseful, groupLayers, shareOut } from './kv-groups.ts'
import { defaultKvBytes } from './kv-memory.ts'
import { rowsThatFit } from './row-floats.ts'

const KV_TYPES = ['f16', 'f32', 'int8'] as const
export type KvType = (typeof KV_TYPES)[number]
const ACTIVATIONS = ['f32', 'int8'] as const
/** Number type of what products over norms read. */
type Activations = (typeof ACTIVATIONS)[number]

export interface SizeOptions {
  readonly kv: KvType
  readonly activations: Activations
  /** Tokens a sequence may hold; default: the model's own, up to a bound. */
  readonly contextLength: number | undefined
  /** Bytes of KV cache, all layers together; default: a share of the adapter's memory. */
  readonly kvMemory: number | undefined
  /** Sequences that run at once. */
  readonly maxSequences: number | undefined
  /** Most rows of prompts in a step. */
  readonly prefillChunk: number | undefined
  /** Most tokens drafted ahead. */
  readonly drafts: number
  /** Layers of the draft model share the KV memory. */
  readonly draft: DecoderConfig | null
}

export interface Sizes {
  readonly kv: KvType
  readonly activations: Activations
  /** Tokens a sequence may hold. */
  readonly context: number
  /** Layers that look back equally far share pages. */
  readonly groups: readonly KvGroup[]
  /** Places of a page table. */
  readonly pagesPerSequence: number
  readonly slots: number
  readonly chunk: number
  readonly drafts: number
  /** Rows of a step. */
  readonly rows: number
  /** Rows of a step that choose a token. */
  readonly picks: number
}

/** Contexts longer than this are reserved only when asked for. */
const DEFAULT_CONTEXT = 8192
const DEFAULT_SEQUENCES = 16
/** Rows of prompts in a step where nobody says: fewer where their activations do not fit a binding, down to the least. */
const [LEAST_CHUNK, DEFAULT_CHUNK] = [64, 256]
/** Rows that a step scores, where a binding holds their logits. */
const SCORED_ROWS = 8

/** Throws EngineError('bad_request') for what cannot be had, naming the option and the bound. */
export function sizesOf(device: Device, config: DecoderConfig, options: SizeOptions): Sizes {
  const { kv, drafts, activations } = options
  if (!ACTIVATIONS.includes(activations)) {
    const message = `activations must be one of ${ACTIVATIONS.join(', ')}; it is ${String(activations)}.`
    throw new EngineError('bad_request', message, { param: 'activations' })
  }
  if (!KV_TYPES.includes(kv)) {
    const message = `kv must be one of ${KV_TYPES.join(', ')}; it is ${String(kv)}.`
    throw new EngineError('bad_request', message, { param: 'kv' })
  }
  const perBinding = Math.floor(device.caps.maxBinding / pageBytes(config, options))
  const logitRows = Math.floor(device.caps.maxBinding / (config.vocabularySize * 4))
  const most = Math.max(1, logitRows)
  const asked = options.maxSequences
  const slots =
    asked === undefined
      ? Math.min(DEFAULT_SEQUENCES, most)
      : whole('maxSequences', asked, 1, Math.min(1024, most))
  const models = options.draft ? [config, options.draft] : [config]
  const decoding = slots * (1 + drafts)
  const fitting = rowsThatFit(device.caps.maxBinding, models)
  const chunk = whole('prefillChunk', options.prefillChunk ?? chunkOf(fitting - decoding), 1, 4096)
  const rows = Math.max(chunk, 1 + drafts)
  const fits = tokensThatFit(perBinding, rows, models)
  const context = contextOf(config, fits, options.contextLength, kv)
  const pagesPerSequence = Math.ceil(context / PAGE)
  const sizes = { context, pagesPerSequence, slots, perBinding }
  const groups = groupsOf(device, config, sizes, rows, options)
  return {
    kv,
    activations,
    context,
    groups,
    pagesPerSequence,
    slots,
    chunk,
    drafts,
    rows: chunk + decoding,
    picks: Math.min(most, Math.max(SCORED_ROWS, decoding)),
  }
}

/** `fitting`: rows of prompts for which there is room; whole tiles of them. */
const chunkOf = (fitting: number): number =>
  Math.max(LEAST_CHUNK, Math.min(DEFAULT_CHUNK, Math.floor(fitting / ROW_TILE) * ROW_TILE))

/** Of the model and of its draft, whichever is larger. */
const pageBytes = (config: DecoderConfig, { kv, draft }: SizeOptions): number =>
  Math.max(kvPageBytes({ ...config, kv }), draft ? kvPageBytes({ ...draft, kv }) : 0)

/** Tokens to reserve: what was asked, else the model's own up to a bound; never more than a layer's binding holds. */
function contextOf(
  config: DecoderConfig,
  fits: number,
  asked: number | undefined,
  kv: KvType,
): number {
  const most = Math.min(longestContext(config), fits)
  if (asked === undefined) return Math.min(most, DEFAULT_CONTEXT, trainedContext(config))
  const why =
    most === fits
      ? `one layer's ${kv} KV cache must fit a binding of the adapter`
      : "the model's own context"
  return whole('contextLength', asked, 1, most, why)
}

/** Longrope has other frequencies for longer contexts, and is at its best in the original one where that is enough. */
const trainedContext = ({ attention }: DecoderConfig): number =>
  Math.min(
    ...attention.map(({ rotary }) =>
      rotary?.kind === 'longrope' ? rotary.originalContextLength : Number.POSITIVE_INFINITY,
    ),
  )

/** Pages of each group of layers for the KV memory, at least for one sequence of full length. */
function groupsOf(
  device: Device,
  config: DecoderConfig,
  sizes: { context: number; pagesPerSequence: number; slots: number; perBinding: number },
  rows: number,
  { kv, draft, kvMemory }: SizeOptions,
): KvGroup[] {
  const models = [config, ...(draft ? [draft] : [])].map((one) => ({
    config: one,
    pageBytes: kvPageBytes({ ...one, kv }),
  }))
  const layers = groupLayers(models, sizes, rows)
  const needed = bytesNeeded(layers)
  const wanted = bytesUseful(layers, { ...sizes, bytes: 0 })
  const bytes = kvMemory ?? Math.max(needed, defaultKvBytes(device.caps.software, wanted))
  if (bytes >= needed) return shareOut(layers, { ...sizes, bytes })
  const message =
    `kvMemory is ${bytes} bytes, but one sequence of ${sizes.pagesPerSequence * PAGE} tokens takes ${needed} of ${kv}: ` +
    'give more, or a shorter context.'
  throw new EngineError('bad_request', message, { param: 'kvMemory' })
}

/** Tokens of a sequence for whose keys and values a layer's binding has room; where all have windows, any number. */
function tokensThatFit(perBinding: number, rows: number, models: readonly DecoderConfig[]): number {
  const held = models
    .flatMap(({ attention }) => attention)
    .map(({ window }) => (window === null ? Infinity : heldPages(window, rows, Infinity)))
  return Math.max(...held) <= perBinding ? Infinity : perBinding * PAGE
}

function whole(param: string, value: number, low: number, high: number, why?: string): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value
  const reason = why ? ` (${why})` : ''
  const message = `${param} must be a whole number from ${low} to ${high}${reason}; it is ${value}.`
  throw new EngineError('bad_request', message, { param })
}
