/**
 * A weight format: everything that knows how a matrix's bytes are laid out. Its WGSL fragments declare bind group 1,
 * `weight4` (four columns of a unit of 16 bytes), `load_affine` and `scaled`; every matmul and the embedding call those
 * and know no format.
 *
 * One layout for all, so that neighbouring invocations read neighbouring words: rows go in pairs, 32 pairs make a pair
 * block, and a pair block is ordered [block of 32 columns][row of the pair][unit of 16 bytes][pair]. Rows are padded to 64
 * and columns to 32, with zeros.
 */
import type { Fragment } from '../kernel.ts'

/** Columns a block spans. */
export const BLOCK = 32
/** Pairs of rows whose words lie side by side. */
export const PAIRS = 32

/** `load_unit` over the one layout; `UNITS` (units a block of a row takes) is a constant of the format. */
export const loadUnit: Fragment = { wgsl: new URL('./unit.wgsl', import.meta.url) }

/** The buffers of a packed run of pair blocks. `scale` is empty for plain floats. */
export interface PackedWeight {
  readonly words: Uint32Array
  readonly scales: Uint32Array
}

/** Rows as the checkpoint holds them, one after another. `scales`, `biases`: affine formats only. */
export interface SourceRows {
  readonly weight: Uint8Array
  readonly scales?: Uint8Array
  readonly biases?: Uint8Array
}

export interface Format {
  readonly id: string
  readonly fragments: readonly Fragment[]
  /** Compiled in beside the kernel's own constants. */
  readonly consts: Readonly<Record<string, number>>
  /** u32 words of `words` and of `scales` per pair block of a matrix with that many columns. */
  wordsPerPairBlock(columns: number): { words: number; scales: number }
  /** Packs `rows` rows (at most 64; the rest of the pair block is zero) into one pair block at `at`. */
  pack(
    rows: SourceRows,
    count: number,
    columns: number,
    into: PackedWeight,
    pairBlock: number,
  ): void
  /** Rows as float32, for oracles and for matrices fused of different formats. */
  decode(rows: SourceRows, count: number, columns: number): Float32Array
  /** Random rows and nothing lost in packing them: test data. */
  encode(values: Float32Array, count: number, columns: number): SourceRows
  /** Bytes of one row in the checkpoint, by tensor. */
  rowBytes(columns: number): { weight: number; scales: number; biases: number }
}
