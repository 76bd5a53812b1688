/**
 * How the memory of the KV cache is shared among layers that look back equally far: each such group has its own pages, and
 * those with a window never need more of them than the windows of the sequences that run, and of as many that may come again.
 */
import { attentionAt, type DecoderConfig } from '../models/config.ts'
import { heldPages, type KvGroup } from '../schedule/kv-group.ts'
import type { Sizes } from './sizes.ts'

/** Layers of a model and of its draft that look back equally far. */
export interface GroupedLayers {
  /** 0: all that a sequence may hold. */
  readonly window: number
  /** Of a page, all layers of the group together. */
  readonly bytes: number
  /** Most pages that a sequence holds at once. */
  readonly held: number
}

export interface KvMemory {
  /** Of all groups together. */
  readonly bytes: number
  /** Most pages of a group. */
  readonly perBinding: number
  /** Of a sequence of full length. */
  readonly pagesPerSequence: number
  readonly slots: number
}

/** Tokens that a query of layer `index` sees; 0: all, as with a window that no sequence outgrows. */
function windowAt(config: DecoderConfig, index: number, context: number): number {
  const { window } = attentionAt(config, index)
  return window === null || window >= context ? 0 : window
}

/** Group of layer `index`. */
export const groupAt = (
  config: DecoderConfig,
  index: number,
  { groups, context }: Pick<Sizes, 'groups' | 'context'>,
): number => {
  const own = windowAt(config, index, context)
  return groups.findIndex(({ window }) => window === own)
}

/**
 * The layers of all models by their windows, those that see everything first.
 * @param models with the bytes of a page of a layer
 * @param rows most rows of a sequence in a step
 */
export function groupLayers(
  models: readonly { readonly config: DecoderConfig; readonly pageBytes: number }[],
  { context, pagesPerSequence }: Pick<Sizes, 'context' | 'pagesPerSequence'>,
  rows: number,
): GroupedLayers[] {
  const bytes = new Map<number, number>()
  for (const { config, pageBytes } of models) {
    for (let i = 0; i < config.layers; i++) {
      const window = windowAt(config, i, context)
      bytes.set(window, (bytes.get(window) ?? 0) + pageBytes)
    }
  }
  return [...bytes]
    .sort(([a], [b]) => a - b)
    .map(([window, all]) => ({
      window,
      bytes: all,
      held: heldPages(window, rows, pagesPerSequence),
    }))
}

/** Most pages that are of use to a group: those of all slots, and with a window twice as many for what may come again. */
const useful = ({ window, held }: GroupedLayers, { slots, pagesPerSequence }: KvMemory): number =>
  slots * (window > 0 ? Math.min(2 * held, pagesPerSequence) : held)

const bytesOf = (layers: readonly GroupedLayers[], pages: (one: GroupedLayers) => number): number =>
  layers.reduce((sum, one) => sum + pages(one) * one.bytes, 0)

/** Bytes that one sequence of full length takes. */
export const bytesNeeded = (layers: readonly GroupedLayers[]): number =>
  bytesOf(layers, ({ held }) => held)

/** Bytes beyond which more are of little use. */
export const bytesUseful = (layers: readonly GroupedLayers[], memory: KvMemory): number =>
  bytesOf(layers, (one) => useful(one, memory))

/**
 * As many pages for each group as the memory has room for: equally many, so that short sequences fill all alike, but at
 * least what one sequence needs; and where some layers see everything, they get what those with a window have no use for.
 */
export function shareOut(layers: readonly GroupedLayers[], memory: KvMemory): KvGroup[] {
  const hasAll = layers.some(({ window }) => window === 0)
  const pagesAt =
    (level: number) =>
    (one: GroupedLayers): number => {
      const most = hasAll && one.window > 0 ? useful(one, memory) : memory.perBinding
      return Math.max(one.held, Math.min(level, most, memory.perBinding))
    }
  let [low, high] = [0, memory.perBinding]
  while (low < high) {
    const level = Math.ceil((low + high) / 2)
    if (bytesOf(layers, pagesAt(level)) <= memory.bytes) low = level
    else high = level - 1
  }
  return layers.map((one) => ({ window: one.window, held: one.held, pages: pagesAt(low)(one) }))
}
