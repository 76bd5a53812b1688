/** The buffers of a model and of its sequences, made once: activations, KV cache, batch, sampling state, read-backs. */
import {
  DETAIL_WORDS,
  type Device,
  isKvPadded,
  kvPageBytes,
  ROW_TILE,
  roundUp,
  SETTINGS_BYTES,
} from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'
import type { KvGroup } from '../schedule/kv-group.ts'
import { groupAt } from './kv-groups.ts'
import { rotaryBuffers } from './rotary-buffers.ts'
import { rowFloats } from './row-floats.ts'
import type { Sizes } from './sizes.ts'
import { partialsOf } from './spans.ts'

/** Steps whose ids may be on their way to the host. */
export const READBACKS = 4

/** What one model computes with. */
export interface ModelBuffers {
  readonly hidden: GPUBuffer
  readonly normed: GPUBuffer
  readonly q: GPUBuffer
  /** Keys and values of a step before they are quantized; only for a KV cache of int8. */
  readonly fresh: GPUBuffer | null
  /** Queries, keys and values before queries and keys are normed; only where they are. */
  readonly projected: GPUBuffer | null
  readonly attended: GPUBuffer
  /** What spans of keys leave before they are joined. */
  readonly partials: GPUBuffer
  /** What a block comes to before its norm; only where there is one. */
  readonly branch: GPUBuffer | null
  readonly gated: GPUBuffer
  /** Which experts rows go through; only where there are any. */
  readonly routing: { readonly logits: GPUBuffer; readonly routes: GPUBuffer } | null
  readonly headInput: GPUBuffer
  readonly logits: GPUBuffer
  /** One a layer; layers with the same rotation share it. */
  readonly rotary: readonly GPUBuffer[]
  /** One a layer. */
  readonly kv: readonly GPUBuffer[]
  /** Of each layer: that with whose page tables `kv` is read. */
  readonly groups: readonly number[]
  readonly rows: GPUBuffer
  /** The same with the places of each group of layers; those of the first are `rows`. */
  readonly rowsByGroup: readonly GPUBuffer[]
  readonly tiles: GPUBuffer
  /** Rows of `hidden` that the head reads. */
  readonly headSource: GPUBuffer
  readonly picks: GPUBuffer
}

/** What a model and its draft have in common: sequences by slot. */
export interface SequenceBuffers {
  /** One a group of layers. */
  readonly pageTables: readonly GPUBuffer[]
  /** What a step tells the GPU, on its way. */
  readonly staging: GPUBuffer
  /** 0, 1, 2, …: every row from its own place. */
  readonly identity: GPUBuffer
  readonly counts: GPUBuffer
  readonly bias: GPUBuffer
  readonly mask: GPUBuffer
  readonly settings: GPUBuffer
  /** Ids by slot and place in the run: chosen ones, then drafted ones, then one that nobody reads. */
  readonly latest: GPUBuffer
  /** `latest` after each of the last READBACKS steps. */
  readonly history: GPUBuffer
  /** Tokens to count: (slot, token). */
  readonly entries: GPUBuffer
  /** Alternatives wanted by pick. */
  readonly wanted: GPUBuffer
  readonly details: GPUBuffer
  /** A page on its way to its copy. */
  readonly scratch: GPUBuffer
  readonly readbacks: readonly GPUBuffer[]
  readonly detailReadbacks: readonly GPUBuffer[]
  readonly logitsReadback: GPUBuffer
}

/** Words of `latest`. */
export const latestWords = ({ slots, drafts }: Sizes): number => 2 * slots * (1 + drafts) + 1

/** Words that go to the GPU in a step at most: rows, tiles, tokens to count, picks with what they read, new pages. */
const stagingWords = ({ rows, picks, slots, groups }: Sizes): number =>
  roundUp(rows, ROW_TILE) * (6 + 4 * groups.length) +
  roundUp(picks, ROW_TILE) * 6 +
  groups.reduce((sum, { window, held }) => sum + (window > 0 ? slots * held : rows + slots), 0)

export const maskWords = (vocabulary: number): number => Math.ceil(vocabulary / 32)

/** Throws GpuError when the adapter has no room. */
export async function createModelBuffers(
  device: Device,
  config: DecoderConfig,
  sizes: Sizes,
): Promise<ModelBuffers> {
  const { memory } = device
  // Tiles reach past the last row.
  const rows = roundUp(sizes.rows, ROW_TILE)
  const picks = roundUp(sizes.picks, ROW_TILE)
  const per = rowFloats(config)
  const floats = (label: string, count: number): Promise<GPUBuffer> =>
    memory.storage(label, 'activations', count * 4)
  const words = (label: string, count: number): Promise<GPUBuffer> =>
    memory.storage(label, 'batch', count * 4)
  const pageBytes = kvPageBytes({ ...config, kv: sizes.kv })
  // Nobody reads what was not written, padding apart; to zero all of it takes a CPU adapter half a second.
  const holds = isKvPadded(config) ? 'zeros' : 'anything'
  const kv: GPUBuffer[] = []
  const groups = Array.from({ length: config.layers }, (_, i) => groupAt(config, i, sizes))
  for (const [i, group] of groups.entries()) {
    const { pages } = sizes.groups[group] as KvGroup
    kv.push(await memory.storage(`layer ${i} kv`, 'kv-cache', pages * pageBytes, holds))
  }
  const rowsByGroup: GPUBuffer[] = []
  for (const _ of sizes.groups) rowsByGroup.push(await words('rows', rows * 4))
  const { experts } = config
  return {
    hidden: await floats('hidden', rows * per.hidden),
    normed: await floats('normed', rows * per.normed),
    q: await floats('queries', rows * per.queries),
    fresh: sizes.kv === 'int8' ? await floats('keys and values', rows * per.fresh) : null,
    projected:
      config.queryKeyNorm === 'none' ? null : await floats('projected', rows * per.projected),
    attended: await floats('attended', rows * per.attended),
    partials: await floats('spans', partialsOf(device, config, sizes)),
    branch: config.normPlacement === 'before' ? null : await floats('branch', rows * per.hidden),
    gated: await floats('gated', rows * per.gated),
    routing: experts && {
      logits: await floats('router logits', rows * per.routerLogits),
      routes: await words('routes', rows * experts.chosen * 2),
    },
    headInput: await floats('head input', picks * per.hidden),
    logits: await floats('logits', sizes.picks * config.vocabularySize),
    rotary: await rotaryBuffers(device, config, sizes),
    kv,
    groups,
    rows: rowsByGroup[0] as GPUBuffer,
    rowsByGroup,
    tiles: await words('tiles', rows * 4),
    headSource: await words('head source', picks),
    picks: await words('picks', picks * 4),
  }
}

/** Throws GpuError when the adapter has no room. */
export async function createSequenceBuffers(
  device: Device,
  /** Of the model, and of its draft. */
  configs: readonly DecoderConfig[],
  sizes: Sizes,
): Promise<SequenceBuffers> {
  const { memory } = device
  const { slots, picks } = sizes
  const vocabulary = configs[0]?.vocabularySize ?? 0
  const pages = configs.map((config) => kvPageBytes({ ...config, kv: sizes.kv }))
  const words = (label: string, count: number): Promise<GPUBuffer> =>
    memory.storage(label, 'sampling', count * 4)
  const readbacks = async (label: string, bytes: number): Promise<GPUBuffer[]> => {
    const all: GPUBuffer[] = []
    for (let i = 0; i < READBACKS; i++) all.push(await memory.readback(`${label} ${i}`, bytes))
    return all
  }
  const latest = latestWords(sizes)
  const pageTables: GPUBuffer[] = []
  for (const _ of sizes.groups) {
    const bytes = slots * sizes.pagesPerSequence * 4
    pageTables.push(await memory.storage('page tables', 'batch', bytes))
  }
  const buffers: SequenceBuffers = {
    staging: await memory.storage('staging', 'batch', stagingWords(sizes) * 4),
    pageTables,
    identity: await memory.storage('identity', 'batch', sizes.rows * 4),
    counts: await words('token counts', slots * vocabulary),
    bias: await words('logit bias', slots * vocabulary),
    mask: await words('token masks', slots * maskWords(vocabulary)),
    settings: await memory.storage('sampling settings', 'sampling', slots * SETTINGS_BYTES),
    latest: await words('latest ids', latest),
    history: await words('ids of the last steps', latest * READBACKS),
    entries: await words('tokens to count', sizes.rows * 2),
    wanted: await words('alternatives wanted', picks),
    details: await words('log-probabilities', picks * DETAIL_WORDS),
    scratch: await memory.storage('page copy', 'kv-cache', Math.max(...pages)),
    readbacks: await readbacks('ids', latest * READBACKS * 4),
    detailReadbacks: await readbacks('log-probabilities', picks * DETAIL_WORDS * 4),
    logitsReadback: await memory.readback('logits', picks * vocabulary * 4),
  }
  memory.write(
    buffers.identity,
    0,
    Uint32Array.from({ length: sizes.rows }, (_, i) => i),
  )
  return buffers
}
