/** The decoder's working buffers, made once: activations, KV cache, batch rows, sampling state, read-back ring. */
import {
  type Device,
  type KvType,
  kvPageBytes,
  PAGE,
  paddedHalf,
  roundUp,
  SETTINGS_BYTES,
} from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'
import { rotaryTable } from '../models/rotary.ts'

/** Rows of one prefill step. */
export const PREFILL_ROWS = 64
/** Rows that the head scores at once, where a binding holds the logits of so many. */
const HEAD_ROWS = 8
/** Steps whose ids may be on their way to the host. */
export const READBACKS = 4

export interface Buffers {
  readonly hidden: GPUBuffer
  readonly normed: GPUBuffer
  readonly q: GPUBuffer
  readonly attended: GPUBuffer
  readonly gated: GPUBuffer
  readonly headInput: GPUBuffer
  /** Rows that the head scores at once: what `logits` holds. */
  readonly headRows: number
  readonly logits: GPUBuffer
  readonly rotary: GPUBuffer
  /** One a layer. */
  readonly kv: readonly GPUBuffer[]
  readonly prefillRows: GPUBuffer
  readonly decodeRows: GPUBuffer
  readonly pageTable: GPUBuffer
  /** 0, 1, 2, …: every row from its own place. */
  readonly identity: GPUBuffer
  /** Rows of `hidden` that the head reads after a prefill step. */
  readonly headSource: GPUBuffer
  readonly counts: GPUBuffer
  readonly settings: GPUBuffer
  readonly picks: GPUBuffer
  readonly ids: GPUBuffer
  readonly readbacks: readonly GPUBuffer[]
  readonly logitsReadback: GPUBuffer
}

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

/** Makes the buffers for a context of `pages` pages. Throws GpuError when the adapter has no room. */
export async function createBuffers(
  device: Device,
  config: DecoderConfig,
  kv: KvType,
  pages: number,
): Promise<Buffers> {
  const { memory } = device
  const rows = PREFILL_ROWS
  // At least one row: where not even that fits, the allocation below says so.
  const fitting = Math.floor(device.caps.maxBinding / (config.vocabularySize * 4))
  const headRows = Math.max(1, Math.min(HEAD_ROWS, fitting))
  const floats = (label: string, count: number): Promise<GPUBuffer> =>
    memory.storage(label, 'activations', count * 4)
  const words = (label: string, count: number): Promise<GPUBuffer> =>
    memory.storage(label, 'batch', count * 4)
  const hiddenStride = roundUp(config.hiddenSize, 32)
  const kvLayers: GPUBuffer[] = []
  for (let i = 0; i < config.layers; i++) {
    kvLayers.push(
      await memory.storage(`layer ${i} kv`, 'kv-cache', pages * kvPageBytes(config, kv)),
    )
  }
  const readbacks: GPUBuffer[] = []
  for (let i = 0; i < READBACKS; i++) readbacks.push(await memory.readback(`ids ${i}`, 16))
  const rotary = rotations(config, pages * PAGE)
  const buffers: Buffers = {
    hidden: await floats('hidden', rows * hiddenStride),
    normed: await floats('normed', rows * hiddenStride),
    q: await floats('queries', rows * config.heads * paddedHalf(config.headDim) * 2),
    attended: await floats('attended', rows * roundUp(config.heads * config.headDim, 32)),
    gated: await floats('gated', rows * roundUp(config.intermediateSize, 32)),
    headInput: await floats('head input', HEAD_ROWS * hiddenStride),
    headRows,
    logits: await floats('logits', headRows * config.vocabularySize),
    rotary: await floats('rotary', rotary.length),
    kv: kvLayers,
    prefillRows: await words('prefill rows', rows * 4),
    decodeRows: await words('decode rows', HEAD_ROWS * 4),
    pageTable: await words('page table', pages),
    identity: await words('identity', rows),
    headSource: await words('head source', HEAD_ROWS),
    counts: await memory.storage('token counts', 'sampling', config.vocabularySize * 4),
    settings: await memory.storage('sampling settings', 'sampling', SETTINGS_BYTES),
    picks: await memory.storage('picks', 'sampling', 16),
    ids: await memory.storage('ids', 'sampling', 16),
    readbacks,
    logitsReadback: await memory.readback('logits', headRows * config.vocabularySize * 4),
  }
  memory.write(buffers.rotary, 0, rotary)
  memory.write(buffers.identity, 0, countingUp(rows))
  memory.write(buffers.pageTable, 0, countingUp(pages))
  return buffers
}

const countingUp = (length: number): Uint32Array => Uint32Array.from({ length }, (_, i) => i)
