/** Causal attention over the paged KV cache with a running softmax; see attention.wgsl. */
import type { Capabilities } from '../gpu/capabilities.ts'
import { defineKernel, type Kernel, roundUp, tunings } from '../kernel.ts'
import {
  held,
  type KvType,
  kvTypes,
  octetFragment,
  octetsFragment,
  reachFragment,
  scoreFragment,
  sinksFragment,
  spans,
  storeHeads,
  storeSpans,
  sums,
} from '../lib/fragments.ts'
import { PAGE, paddedHalf, pageWords, writeHead } from '../lib/kv-layout.ts'
import { lastPosition, raggedRows, reversedTable } from '../lib/ragged-rows.ts'
import { partialFloats, SPAN, spansOf } from '../lib/spans.ts'
import { attentionOracle } from './attention-oracle.ts'

export type AttentionShape = {
  /** Activation rows. */
  batch: number
  /** Runs of rows of one sequence. */
  tiles: number
  /** Most rows of a tile. */
  tileRows: number
  heads: number
  kvHeads: number
  headDim: number
  scale: number
  kv: KvType
  /** Pages a sequence may have: the width of the page table. */
  pages: number
  /** Workgroups that share the spans of a tile's keys, one each; 1: one takes them all. */
  spans: number
  /** Keys that a query sees, its own included; 0: all. */
  window: number
  /** Scores are kept within ±cap; 0: they are not. */
  cap: number
  /** 1: each head has a sink. */
  sinks: number
}

/** `QUERIES` an octet serves, `KEYS` an invocation scores in a tile; `SPLIT` octets share the keys and decide the order of the sum. */
export type AttentionTuning = { QUERIES: number; KEYS: number; SPLIT: number; SHUFFLE: number }

/** Most rows a tile may have. */
export const ATTENTION_TILE = 8

function shape(
  batch: number,
  tileRows: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  kv: KvType,
  pages = 2,
): AttentionShape {
  const tiles = Math.ceil(batch / tileRows)
  const scale = headDim ** -0.5
  const plain = { spans: 1, window: 0, cap: 0, sinks: 0 }
  return { batch, tiles, tileRows, heads, kvHeads, headDim, scale, kv, pages, ...plain }
}

/** Values between rows of y: the input of the output projection. */
const strideOf = (one: AttentionShape): number => roundUp(one.heads * one.headDim, 32)

const groupOf = ({ heads, kvHeads }: { heads: number; kvHeads: number }): number => heads / kvHeads

/** Workgroups that the queries of a tile take. */
const blocksOf = (one: AttentionShape, queries: number): number =>
  Math.ceil((one.tileRows * groupOf(one)) / queries)

/** The first that tiles of one row and of several can both run, by what the adapter is. */
function soundAttention(one: AttentionShape, caps: Capabilities): AttentionTuning {
  const split = caps.software ? 1 : 8
  const shuffle = caps.subgroupMin >= 8 ? 1 : 0
  const of = (tileRows: number): AttentionTuning[] => tunings(attention, { ...one, tileRows }, caps)
  const same = (a: AttentionTuning, b: AttentionTuning): boolean =>
    a.SPLIT === b.SPLIT && a.SHUFFLE === b.SHUFFLE && a.KEYS === b.KEYS
  const both = of(1).filter((a) => of(ATTENTION_TILE).some((b) => same(a, b)))
  const found =
    both.find((a) => a.SPLIT === split && a.SHUFFLE === shuffle) ??
    both.find((a) => a.SPLIT === split) ??
    both[0]
  const tuning = found && of(one.tileRows).find((a) => same(a, found))
  if (!tuning) throw new Error('attention has no tuning that this device can run.')
  return tuning
}

export const attention: Kernel<AttentionShape, AttentionTuning> = defineKernel<
  AttentionShape,
  AttentionTuning
>({
  name: 'attention',
  summary:
    'y = softmax(q kᵀ · scale, causal, windowed, capped, with sinks) v over pages, running softmax',
  wgsl: new URL('./attention.wgsl', import.meta.url),
  uses: ({ headDim, kv, window, cap, sinks }, { SHUFFLE, SPLIT }) => [
    octetFragment(SHUFFLE),
    octetsFragment(SPLIT),
    kvTypes[kv].load,
    sums,
    held,
    spans,
    storeHeads(headDim),
    storeSpans,
    reachFragment(window),
    scoreFragment(cap),
    sinksFragment(sinks === 1),
  ],
  consts: (one, { QUERIES, KEYS, SPLIT }) => ({
    HEADS: one.heads,
    KV_HEADS: one.kvHeads,
    GROUP: groupOf(one),
    HALF: one.headDim / 2,
    HALF_PAD: paddedHalf(one.headDim),
    SCALE: one.scale,
    MAX_PAGES: one.pages,
    Y_STRIDE: strideOf(one),
    ...(one.window > 0 ? { WINDOW: one.window } : {}),
    ...(one.cap > 0 ? { CAP: one.cap } : {}),
    SPAN,
    SPANS: spansOf(one),
    BLOCKS: blocksOf(one, QUERIES),
    QUERIES,
    KEYS,
    SPLIT,
  }),
  dispatch: (one, { QUERIES }) => [
    one.kvHeads,
    one.tiles,
    blocksOf(one, QUERIES) * Math.min(one.spans, spansOf(one, one.tileRows)),
  ],
  // Eight for prefill; what one row has, up to eight, for decode.
  tune: { QUERIES: [8, 7, 6, 5, 4, 3, 2, 1], KEYS: [4], SPLIT: [1, 8], SHUFFLE: [1, 0] },
  order: ['KEYS', 'SPLIT', 'SHUFFLE'],
  sound: soundAttention,
  forms(one, rows) {
    const tiles = Math.ceil(rows / ATTENTION_TILE)
    const several = { ...one, batch: rows, tiles, tileRows: ATTENTION_TILE }
    return { one: { ...one, batch: 1, tiles: 1, tileRows: 1 }, several, many: several }
  },
  valid(one, { QUERIES, KEYS, SPLIT, SHUFFLE }, caps) {
    // Without shuffles the state of an octet lies in shared memory, and compilers take long over it.
    const most = SHUFFLE === 1 ? 8 : 4
    if (QUERIES !== (one.tileRows === 1 ? Math.min(most, groupOf(one)) : most)) return false
    // Where there are shuffles nothing else is worth trying.
    if (SHUFFLE === 1 || caps.subgroupMin >= 8) return SHUFFLE === 1 && caps.subgroupMin >= 8
    const hold = Math.ceil(paddedHalf(one.headDim) / 32)
    const words = SPLIT * QUERIES * (KEYS + 1) * 8 + QUERIES * hold * 64 + SPLIT * 34
    return words * 4 <= caps.maxWorkgroupBytes
  },
  inputs(one, random) {
    const cache = new Uint32Array(pageWords(one) * 2 * one.pages)
    for (let page = 0; page < 2 * one.pages; page++) {
      for (let token = 0; token < PAGE; token++) {
        for (let head = 0; head < one.kvHeads; head++) {
          const write = (part: 0 | 1, most: number): void =>
            writeHead(one, cache, { page, token, part, head }, random.floats(one.headDim, most))
          write(0, 2)
          write(1, 1)
        }
      }
    }
    const { rows, tiles } = raggedRows(one.batch, one.tileRows, one.pages, random)
    const padded = paddedHalf(one.headDim) * 2
    const q = new Float32Array(one.batch * one.heads * padded)
    for (let h = 0; h < one.batch * one.heads; h++) {
      for (let i = 0; i < one.headDim; i++) q[h * padded + i] = random.f32(2)
    }
    const y = new Float32Array(one.batch * strideOf(one))
    const sinks = one.sinks === 1 ? { sinks: random.floats(one.heads, 2) } : {}
    const rest = { page_table: reversedTable(one.pages), kv_cache: cache, ...sinks }
    const partial = one.heads * spansOf(one) * partialFloats(paddedHalf(one.headDim))
    return { q, rows, tiles, y, partials: new Float32Array(one.batch * partial), ...rest }
  },
  oracle: (one, io) => attentionOracle(one, io, strideOf(one)),
  tolerance: 2e-5,
  cases: [
    shape(1, 1, 4, 2, 16, 'f32'),
    shape(5, 1, 9, 3, 64, 'f16', 6),
    shape(21, 8, 9, 3, 64, 'f16', 6),
    shape(11, 8, 4, 4, 20, 'f32', 3),
    shape(2, 1, 6, 1, 6, 'f16'),
    shape(3, 2, 12, 1, 128, 'int8', 8),
    shape(2, 1, 3, 3, 80, 'int8', 3),
    { ...shape(3, 1, 4, 2, 16, 'f32', 6), window: 24, sinks: 1 },
    { ...shape(21, 8, 4, 2, 16, 'f16', 9), window: 37, cap: 1.5 },
    shape(3, 1, 4, 2, 64, 'f16', 34),
    { ...shape(3, 1, 4, 2, 64, 'f16', 34), spans: 3 },
    { ...shape(19, 8, 6, 3, 20, 'f32', 40), spans: 3, window: 300, sinks: 1 },
  ],
  bench: {
    'smollm2 decode @512': shape(1, 1, 9, 3, 64, 'f16', 32),
    'smollm2 decode @2048': shape(1, 1, 9, 3, 64, 'f16', 128),
    'smollm2 decode @2048 in spans': { ...shape(1, 1, 9, 3, 64, 'f16', 128), spans: 8 },
    'smollm2 8 decoding @512': shape(8, 1, 9, 3, 64, 'f16', 32),
    'smollm2 int8 decode @512': shape(1, 1, 9, 3, 64, 'int8', 32),
    'smollm2 prefill 64 @64': shape(64, 8, 9, 3, 64, 'f16', 8),
    'smollm2 prefill 16 @1024': shape(16, 8, 9, 3, 64, 'f16', 64),
    'gemma3 1b window 512 decode @1024': { ...shape(1, 1, 4, 1, 256, 'f16', 64), window: 512 },
    'gemma3 1b window 512 decode @2048': { ...shape(1, 1, 4, 1, 256, 'f16', 128), window: 512 },
  },
  cost(one) {
    let keys = 0
    for (let tile = 0; tile < one.tiles; tile++) {
      const count = Math.min(one.tileRows, one.batch - tile * one.tileRows)
      const last = lastPosition(tile, count, one.pages)
      for (let i = 0; i < count; i++)
        keys += Math.min(last + 1 - i, one.window || Number.POSITIVE_INFINITY)
    }
    return {
      bytes: (one.tiles * pageWords(one) * 4 * keys) / one.batch / PAGE,
      flops: 4 * one.heads * keys * one.headDim,
    }
  },
})
