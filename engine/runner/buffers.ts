/** The buffers of a model and of its sequences, made once: activations, KV cache, batch, sampling state, read-backs. */
import {
  DETAIL_WORDS,
  type Device,
  kvPageBytes,
  PAGE,
  paddedHalf,
  ROW_TILE,
  roundUp,
  SETTINGS_BYTES,
} from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'
import { rotaryTable } from '../models/rotary.ts'
import type { Sizes } from './sizes.ts'

/** Steps whose ids may be on their way to the host. */
export const READBACKS = 4

/** What one model computes with. */
export interface ModelBuffers {
  readonly hidden: GPUBuffer
  readonly normed: GPUBuffer
  readonly q: GPUBuffer
  /** Keys and values of a step before they are quantized; only for a KV cache of int8. */
  readonly fresh: GPUBuffer | null
  readonly attended: GPUBuffer
  readonly gated: GPUBuffer
  readonly headInput: GPUBuffer
  readonly logits: GPUBuffer
  readonly rotary: GPUBuffer
  /** One a layer. */
  readonly kv: readonly GPUBuffer[]
  readonly rows: GPUBuffer
  readonly tiles: GPUBuffer
  /** Rows of `hidden` that the head reads. */
  readonly headSource: GPUBuffer
  readonly picks: GPUBuffer
}

/** What a model and its draft have in common: sequences by slot. */
export interface SequenceBuffers {
  readonly pageTable: GPUBuffer
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
const stagingWords = ({ rows, picks, slots }: Sizes): number =>
  roundUp(rows, ROW_TILE) * 10 + roundUp(picks, ROW_TILE) * 6 + rows + slots

export const maskWords = (vocabulary: number): number => Math.ceil(vocabulary / 32)

/** Cosine and sine of every position and pair, in f32 angles as the reference computes them: [positions, headDim / 2]. */
function rotations(config: DecoderConfig, positions: number): Float32Array {
  const { inverseFrequencies, attentionFactor } = rotaryTable(config.rotary, config.headDim)
  const half = inverseFrequencies.length
  const table = new Float32Array(positions * half * 2)
  for (let position = 0; position < positions; position++) {
    inverseFrequencies.forEach((frequency, i) => {
      const angle = Math.fround(position * frequency)
      const at = (position * half + i) * 2
      table[at] = Math.cos(angle) * attentionFactor
      table[at + 1] = Math.sin(angle) * attentionFactor
    })
  }
  return table
}

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
  const { heads, kvHeads, headDim } = config
  const floats = (label: string, count: number): Promise<GPUBuffer> =>
    memory.storage(label, 'activations', count * 4)
  const words = (label: string, count: number): Promise<GPUBuffer> =>
    memory.storage(label, 'batch', count * 4)
  const hiddenStride = roundUp(config.hiddenSize, 32)
  const pageBytes = kvPageBytes({ ...config, kv: sizes.kv })
  const kv: GPUBuffer[] = []
  for (let i = 0; i < config.layers; i++) {
    kv.push(await memory.storage(`layer ${i} kv`, 'kv-cache', sizes.pages * pageBytes))
  }
  const rotary = rotations(config, sizes.pagesPerSequence * PAGE)
  const buffers: ModelBuffers = {
    hidden: await floats('hidden', rows * hiddenStride),
    normed: await floats('normed', rows * hiddenStride),
    q: await floats('queries', rows * heads * paddedHalf(headDim) * 2),
    fresh:
      sizes.kv === 'int8'
        ? await floats('keys and values', rows * 2 * kvHeads * paddedHalf(headDim) * 2)
        : null,
    attended: await floats('attended', rows * roundUp(heads * headDim, 32)),
    gated: await floats('gated', rows * roundUp(config.intermediateSize, 32)),
    headInput: await floats('head input', picks * hiddenStride),
    logits: await floats('logits', sizes.picks * config.vocabularySize),
    rotary: await floats('rotary', rotary.length),
    kv,
    rows: await words('rows', rows * 4),
    tiles: await words('tiles', rows * 4),
    headSource: await words('head source', picks),
    picks: await words('picks', picks * 4),
  }
  memory.write(buffers.rotary, 0, rotary)
  return buffers
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
  const buffers: SequenceBuffers = {
    staging: await memory.storage('staging', 'batch', stagingWords(sizes) * 4),
    pageTable: await memory.storage('page tables', 'batch', slots * sizes.pagesPerSequence * 4),
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
