/**
 * A weight format: everything that knows how a matrix's bytes are laid out. Its WGSL fragments declare bind group 1,
 * `load_run` (eight columns of four rows), `rows_at` (the four rows at one of them), `load_affines` and `scaled`; every
 * matmul and the embedding call those and know no format.
 *
 * One layout for all, so that neighbouring invocations read neighbouring 16 bytes: rows go in blocks of 32, and a row block
 * holds word 0 of its 32 rows side by side, then word 1, and so on. Four rows of a block are a quad: what one invocation
 * reads at once. Rows are padded to 32 and columns to 32, with zeros.
 */
import type { Fragment } from '../kernel.ts'

/** Columns a block spans. */
export const BLOCK = 32
/** Rows whose words lie side by side. */
export const BLOCK_ROWS = 32

/** `load_unit` over the one layout; `UNITS` (words that a block of a row takes) is a constant of the format. */
export const loadUnit: Fragment = { wgsl: new URL('./unit.wgsl', import.meta.url) }

/** `count` rows in their own order, from row `first` on: for `Format.pack`. */
export const rowsFrom = (first: number, count: number): Uint32Array =>
  Uint32Array.from({ length: count }, (_, i) => first + i)

/** The buffers of a packed run of row blocks. `scale` is empty for plain floats. */
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
  /** Products of a run with integers, where the weights are integers: `Part`, `run_add`, `part_sum`. */
  readonly integers?: Fragment
  /** Compiled in beside the kernel's own constants. */
  readonly consts: Readonly<Record<string, number>>
  /** u32 words of `words` and of `scales` per row block of a matrix with that many columns. */
  wordsPerRowBlock(columns: number): { words: number; scales: number }
  /**
   * Packs the rows that `order` names (at most 32; the rest of the row block becomes zero) into row block `block`. Writes
   * every word of it, whatever was there.
   */
  pack(
    rows: SourceRows,
    order: Uint32Array,
    columns: number,
    into: PackedWeight,
    block: number,
  ): void
  /** The first `count` rows of a row block, as the checkpoint holds them: undoes `pack`. */
  unpack(packed: PackedWeight, count: number, columns: number, block: number): SourceRows
  /** Rows as float32, for oracles and for matrices fused of different formats. */
  decode(rows: SourceRows, count: number, columns: number): Float32Array
  /** Random rows and nothing lost in packing them: test data. */
  encode(values: Float32Array, count: number, columns: number): SourceRows
  /** Bytes of one row in the checkpoint, by tensor. */
  rowBytes(columns: number): { weight: number; scales: number; biases: number }
}
