/** Rows of several sequences for tests of kernels over them: tokens, positions, places, page tables. */
import type { Random } from '../kernel.ts'
import { PAGE } from './kv-layout.ts'

/** Page tables of two sequences, the identity backwards: every page somewhere else than its number says. */
export const reversedTable = (pages: number): Uint32Array =>
  Uint32Array.from({ length: 2 * pages }, (_, i) => 2 * pages - 1 - i)

/** The last position of run `run`: the first run ends where the table's reach does, the others below it. */
export const lastPosition = (run: number, length: number, pages: number): number =>
  Math.max(length - 1, pages * PAGE - 1 - ((run * 7) % (pages * PAGE)))

export interface Ragged {
  /** (token, position, slot, place + 1) for each of `batch` rows, dead (0) up to a multiple of 8. */
  readonly rows: Uint32Array
  /** (first row, rows, slot, 0) for each run. */
  readonly tiles: Uint32Array
}

/** `batch` rows in runs of at most `run` rows of one sequence; the last row is dead where there are several runs. */
export function raggedRows(batch: number, run: number, pages: number, random: Random): Ragged {
  const table = reversedTable(pages)
  const rows = new Uint32Array(Math.ceil(batch / 8) * 32)
  const tiles: number[] = []
  for (let first = 0; first < batch; first += run) {
    const index = first / run
    const count = Math.min(run, batch - first)
    const last = lastPosition(index, count, pages)
    for (let i = 0; i < count; i++) {
      const position = last - count + 1 + i
      const page = table[(index % 2) * pages + Math.floor(position / PAGE)]!
      const place = page * PAGE + (position % PAGE)
      rows.set([random.below(100), position, index % 2, place + 1], (first + i) * 4)
    }
    tiles.push(first, count, index % 2, 0)
  }
  return { rows, tiles: Uint32Array.from(tiles) }
}
