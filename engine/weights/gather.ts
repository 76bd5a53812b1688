/** Reads rows of a matrix that may be fused of several modules, in its order and in one format. */
import type { Format, SourceRows } from '../../kernels/index.ts'
import type { Checkpoint } from './checkpoint.ts'
import { byModule, copyRow, encodeAs, runsOf } from './rows.ts'
import type { MatrixSource, StoredRows } from './sources.ts'
import { StoredReader } from './stored-reader.ts'

export interface Gathering {
  readonly source: MatrixSource
  /** Of each module, in the checkpoint. */
  readonly own: readonly Format[]
  /** What they become. */
  readonly gathered: Format
}

export class RowGatherer {
  readonly #reader: StoredReader

  /** @param onBytes hears of every read */
  constructor(checkpoint: Checkpoint, onBytes: (bytes: number) => void) {
    this.#reader = new StoredReader(checkpoint, onBytes)
  }

  /** Lets go of what was kept of the last matrix. */
  release(): void {
    this.#reader.release()
  }

  /** Rows [from, to) of the fused matrix, in its order and in one format. */
  async gather(
    { source, own, gathered: format }: Gathering,
    from: number,
    to: number,
  ): Promise<SourceRows> {
    const places = Array.from({ length: to - from }, (_, i) => source.place(from + i))
    const bytes = format.rowBytes(source.columns)
    const into = {
      weight: new Uint8Array(bytes.weight * places.length),
      scales: new Uint8Array(bytes.scales * places.length),
      biases: new Uint8Array(bytes.biases * places.length),
    }
    for (const [index, rows] of byModule(places)) {
      const kind = own[index] as Format
      const module = source.modules[index] as StoredRows
      for (const run of runsOf(rows.sort((a, b) => a.row - b.row))) {
        const first = run[0]?.row ?? 0
        const read = await this.#reader.rows(module, kind, source.columns, first, run.length)
        const same =
          kind.id === format.id ? read : encodeAs(format, kind, read, run.length, source.columns)
        const isWhole = run.length === places.length && run.every(({ at }, i) => at === i)
        if (isWhole) return same
        for (const [i, { at }] of run.entries()) copyRow(same, i, into, at, bytes)
      }
    }
    return into
  }
}
