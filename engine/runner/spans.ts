/** When spans of keys have a workgroup each, and the room that they take: it changes how soon an answer comes, and no bit of it. */
import {
  ATTENTION_TILE,
  type Device,
  paddedHalf,
  partialFloats,
  SPAN,
  spansOf,
} from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'
import type { Sizes } from './sizes.ts'

/** Tiles up to which a step leaves an adapter idle. */
const FEW_TILES = { software: 2, gpu: 8 }

/** Most tiles of a step whose spans of keys may be apart; fewer where an adapter's binding cannot hold what they leave. */
export function tilesApart(device: Device, config: DecoderConfig, sizes: Sizes): number {
  const { software, maxBinding } = device.caps
  const fits = Math.floor(maxBinding / (4 * tileFloats(config, sizes)))
  return Math.min(software ? FEW_TILES.software : FEW_TILES.gpu, fits)
}

/** Floats that the spans of a tile leave before they are joined. */
function tileFloats({ heads, headDim }: DecoderConfig, { pagesPerSequence: pages }: Sizes): number {
  const spans = spansOf({ pages, window: 0 })
  return ATTENTION_TILE * heads * spans * partialFloats(paddedHalf(headDim))
}

/** Floats that the spans of a step leave. */
export const partialsOf = (device: Device, config: DecoderConfig, sizes: Sizes): number =>
  Math.max(4, tilesApart(device, config, sizes) * tileFloats(config, sizes))

/** Spans that have workgroups of their own in a step; 1: a workgroup takes all spans of its rows. */
export const spansApart = (most: number, tiles: number, longest: number): number =>
  tiles <= most ? Math.ceil(longest / SPAN) : 1
