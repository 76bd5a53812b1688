/** Rows on their way from a checkpoint into row blocks: which are read at once, where they come to lie, packing. */
import { BLOCK_ROWS, type Format, type PackedWeight, type SourceRows } from '../../kernels/index.ts'
import type { Place } from './sources.ts'

/** Neighbouring rows of one module. */
export interface Span {
  readonly module: number
  readonly first: number
  readonly rows: number
}

export interface Spans {
  /** To be read whole: there may be rows among them that nobody wants. */
  readonly spans: readonly Span[]
  /** Rows of all spans. */
  readonly rows: number
  /** For each wanted row its number among those; `rows` itself for a row of zeros. */
  readonly order: Uint32Array
}

/** Rows [from, to) of a fused matrix as spans of its modules. */
export function spansOf(place: (row: number) => Place | null, from: number, to: number): Spans {
  const bounds = new Map<number, { first: number; last: number }>()
  let known: { first: number; last: number } | undefined
  for (let at = from, last = -1; at < to; at++) {
    const found = place(at)
    if (!found) continue
    const { module, row } = found
    if (module !== last) known = bounds.get(module)
    last = module
    if (!known) {
      known = { first: row, last: row }
      bounds.set(module, known)
    } else if (row < known.first) known.first = row
    else if (row > known.last) known.last = row
  }
  let rows = 0
  const shifts = new Map<number, number>()
  const spans = [...bounds].map(([module, { first, last }]): Span => {
    shifts.set(module, rows - first)
    rows += last - first + 1
    return { module, first, rows: last - first + 1 }
  })
  const order = new Uint32Array(to - from)
  for (let i = 0; i < order.length; i++) {
    const found = place(from + i)
    order[i] = found ? found.row + (shifts.get(found.module) ?? 0) : rows
  }
  return { spans, rows, order }
}

/** Rows of one format as rows of another. */
export const encodeAs = (
  format: Format,
  from: Format,
  rows: SourceRows,
  count: number,
  columns: number,
): SourceRows => format.encode(from.decode(rows, count, columns), count, columns)

/** A copy of rows of `width` bytes in the order of a matrix. */
export function inOrder(rows: Uint8Array, order: Uint32Array, width: number): Uint8Array {
  const into = new Uint8Array(order.length * width)
  for (const [at, row] of order.entries()) {
    into.set(rows.subarray(row * width, (row + 1) * width), at * width)
  }
  return into
}

/** Packs rows in the order of a matrix into row blocks. */
export function packRows(
  format: Format,
  rows: SourceRows,
  order: Uint32Array,
  columns: number,
  into: PackedWeight,
): void {
  for (let block = 0; block * BLOCK_ROWS < order.length; block++) {
    const own = order.subarray(block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS)
    format.pack(rows, own, columns, into, block)
  }
}
