/** Rows on their way from a checkpoint into row blocks: runs to read at once, copies, packing. */
import { BLOCK_ROWS, type Format, type SourceRows } from '../../kernels/index.ts'
import type { Place } from './sources.ts'

type Wanted = Place & { at: number }

/** Rows with their places in what is put together, by the module that they come from. */
export function byModule(places: readonly (Place | null)[]): Map<number, Wanted[]> {
  const all = new Map<number, Wanted[]>()
  for (const [at, place] of places.entries()) {
    if (!place) continue
    const rows = all.get(place.module)
    if (rows) rows.push({ ...place, at })
    else all.set(place.module, [{ ...place, at }])
  }
  return all
}

/** Cuts rows, sorted, into runs of neighbours. */
export function runsOf(rows: readonly Wanted[]): Wanted[][] {
  const runs: Wanted[][] = []
  for (const row of rows) {
    const last = runs.at(-1)
    if (last && row.row === (last.at(-1)?.row ?? Number.NaN) + 1) last.push(row)
    else runs.push([row])
  }
  return runs
}

type Whole = Required<SourceRows>
type RowBytes = { weight: number; scales: number; biases: number }

/** Copies one row of every tensor of a format. */
export function copyRow(
  from: SourceRows,
  row: number,
  into: Whole,
  at: number,
  bytes: RowBytes,
): void {
  for (const name of ['weight', 'scales', 'biases'] as const) {
    const width = bytes[name]
    const data = from[name]
    if (data && width > 0) into[name].set(data.subarray(row * width, (row + 1) * width), at * width)
  }
}

/** Rows of one format as rows of another. */
export const encodeAs = (
  format: Format,
  from: Format,
  rows: SourceRows,
  count: number,
  columns: number,
): SourceRows => format.encode(from.decode(rows, count, columns), count, columns)

/** Packs rows of a matrix, in its order, into row blocks. */
export function packRows(
  format: Format,
  rows: SourceRows,
  count: number,
  columns: number,
  into: { words: Uint32Array; scales: Uint32Array },
): void {
  const bytes = format.rowBytes(columns)
  for (let block = 0; block * BLOCK_ROWS < count; block++) {
    const from = block * BLOCK_ROWS
    const to = Math.min(count, from + BLOCK_ROWS)
    const part = (data: Uint8Array | undefined, width: number): Uint8Array =>
      (data ?? new Uint8Array(0)).subarray(from * width, to * width)
    const slice = {
      weight: part(rows.weight, bytes.weight),
      scales: part(rows.scales, bytes.scales),
      biases: part(rows.biases, bytes.biases),
    }
    format.pack(slice, to - from, columns, into, block)
  }
}
