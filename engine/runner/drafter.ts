/**
 * Speculation with a draft model (Leviathan et al. 2023), in the runner: the small model sees every row that the large one
 * sees and runs ahead, choosing with the same settings and the same random numbers. What the large model then chooses is
 * what it would have chosen alone; a draft only saves a step when it is the same token.
 */
import { type Device, LATEST, replay, type Segment } from '../../kernels/index.ts'
import { GREEDY } from '../sampling/sampling.ts'
import { NO_DRAFTS } from '../schedule/drafts.ts'
import type { Run } from '../schedule/step.ts'
import { Batch } from './batch.ts'
import type { ModelBuffers } from './buffers.ts'
import type { DecoderDispatches } from './dispatches.ts'
import type { Sizes } from './sizes.ts'
import type { Upload } from './upload.ts'

export class Drafter {
  readonly #device: Device
  readonly #buffers: ModelBuffers
  readonly #dispatches: DecoderDispatches
  readonly #batch: Batch
  readonly #upload: Upload
  /** Bytes of a page of one layer. */
  readonly pageBytes: number

  constructor(
    device: Device,
    sizes: Sizes,
    buffers: ModelBuffers,
    upload: Upload,
    dispatches: DecoderDispatches,
    pageBytes: number,
  ) {
    this.#device = device
    this.#buffers = buffers
    this.#dispatches = dispatches
    this.#batch = new Batch(sizes)
    this.#upload = upload
    this.pageBytes = pageBytes
  }

  get buffers(): ModelBuffers {
    return this.#buffers
  }

  get dispatches(): DecoderDispatches {
    return this.#dispatches
  }

  /** Launches the passes of the draft model for a step, each a submit: the first over all its rows, then one a draft. */
  run(runs: readonly Run[]): void {
    const drafts = (run: Run): number => (run.drafts.ids ? 0 : run.drafts.count)
    const most = Math.max(0, ...runs.map(drafts))
    for (let pass = 0; pass <= most; pass++) {
      // The pass after the last draft only sets down its keys and values.
      const picks = (run: Run): number => (drafts(run) > pass ? 1 : 0)
      const own = (run: Run): number => run.rows - run.drafts.count
      const active = runs.filter((run) => pass === 0 || drafts(run) >= pass)
      this.#pass(
        active.map((run) =>
          pass === 0
            ? { ...run, rows: own(run), picks: picks(run), drafts: NO_DRAFTS }
            : {
                ...run,
                position: run.position + own(run) + pass - 1,
                ids: [(LATEST | this.#batch.draftedAt(run.slot, pass - 1)) >>> 0],
                rows: 1,
                picks: picks(run),
                drafts: NO_DRAFTS,
              },
        ),
        pass,
      )
    }
  }

  #pass(runs: readonly Run[], pass: number): void {
    // Penalties are counted by the model itself; here they are a step behind.
    const used = this.#batch.fill(
      runs,
      () => GREEDY,
      this.#dispatches.tileRows,
      (slot) => this.#batch.draftedAt(slot, pass),
    )
    this.#batch.upload(this.#upload, this.#buffers, used)
    const { picks } = used
    const segments: Segment[] = [this.#dispatches.body(used)]
    if (picks > 0) {
      segments.push({ dispatches: this.#dispatches.head(picks), rows: picks })
      segments.push({ dispatches: this.#dispatches.sample, rows: picks })
    }
    replay(this.#device, segments, [], this.#upload.flush())
  }
}
