/**
 * Runs steps on the GPU: writes what changed, replays the recorded dispatches in one pass and one submit, and reads ids
 * back late. `launch` and `collect` are apart, so that the next step is under way while the last is read.
 */
import {
  type Copy,
  DETAIL_WORDS,
  type Device,
  ROW_TILE,
  replay,
  type Segment,
} from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'
import { type PageCopy, residenceOf, type Started } from '../schedule/kv-space.ts'
import type { Step } from '../schedule/step.ts'
import { Batch, type BatchSizes, type SamplingOf } from './batch.ts'
import { latestWords, type ModelBuffers, READBACKS, type SequenceBuffers } from './buffers.ts'
import type { DecoderDispatches } from './dispatches.ts'
import type { Drafter } from './drafter.ts'
import { outcomesOf, type RunOutcome } from './outcomes.ts'
import type { Sizes } from './sizes.ts'
import { Slots } from './slots.ts'
import type { Upload } from './upload.ts'
import { readMapped, StepClock } from './wait.ts'

export interface RunnerParts {
  readonly config: DecoderConfig
  readonly sizes: Sizes
  readonly buffers: ModelBuffers
  readonly sequences: SequenceBuffers
  readonly dispatches: DecoderDispatches
  /** Bytes of a page of one layer. */
  readonly pageBytes: number
  readonly drafter: Drafter | null
  readonly upload: Upload
}

interface Launched {
  readonly step: Step
  readonly used: BatchSizes
  /** Steps of one kind take like time. */
  readonly kind: string
  readonly at: number
  /** Place in the rings of read-backs and of `history`. */
  readonly ring: number
}

export class Runner {
  readonly #device: Device
  readonly #parts: RunnerParts
  readonly #batch: Batch
  readonly #slots: Slots
  readonly #clock = new StepClock()
  readonly #launched: Launched[] = []
  #ring = 0
  /** Milliseconds that the GPU was at work, as the host saw it. */
  busy = 0

  constructor(device: Device, parts: RunnerParts) {
    const { config, sizes, sequences } = parts
    this.#device = device
    this.#parts = parts
    this.#batch = new Batch(sizes)
    this.#slots = new Slots(device, sequences, config.vocabularySize, sizes.pagesPerSequence)
  }

  get sizes(): Sizes {
    return this.#parts.sizes
  }

  /** Whether every pipeline is compiled. */
  get isWhole(): boolean {
    return this.#parts.dispatches.isWhole
  }

  /** Dispatches that a token of one sequence takes. */
  get dispatchesPerToken(): number {
    return this.#parts.dispatches.perToken
  }

  /** Launches a step: writes what changed, encodes, submits. */
  launch(step: Step, samplingOf: SamplingOf): void {
    const { dispatches, drafter, buffers, sequences, upload } = this.#parts
    for (const entry of step.tables) this.#slots.addPage(entry, upload)
    for (const { request } of step.started) {
      this.#slots.begin(request, samplingOf(request))
      this.#batch.begin(residenceOf(request).slot, request.tokens.length)
    }
    this.#copyPages(step.started)
    for (const { request, picks } of step.runs) {
      if (picks > 0) this.#slots.refresh(request, samplingOf(request))
    }
    drafter?.run(step.runs)
    const used = this.#batch.fill(step.runs, samplingOf, dispatches.tileRows)
    this.#batch.upload(upload, buffers, used)
    if (used.wantsDetails) {
      upload.add(sequences.wanted, 0, this.#batch.wanted.subarray(0, used.picks))
    }
    upload.add(sequences.entries, 0, this.#batch.entries.subarray(0, used.entries * 2))
    this.#submit(step, used)
  }

  /** Copies pages, every layer's, before the step computes. A buffer cannot be copied to itself: by way of another. */
  #copyPages(started: readonly Started[]): void {
    const { buffers, sequences, pageBytes, drafter } = this.#parts
    const pairs = started.flatMap(({ copies }) => copies.filter(({ from, to }) => from !== to))
    if (pairs.length === 0) return
    const copiesOf = ({ group, from, to }: PageCopy, of: ModelBuffers, bytes: number): Copy[] =>
      of.kv.flatMap((cache, layer) =>
        of.groups[layer] === group
          ? [
              { from: cache, fromOffset: from * bytes, to: sequences.scratch, toOffset: 0, bytes },
              { from: sequences.scratch, fromOffset: 0, to: cache, toOffset: to * bytes, bytes },
            ]
          : [],
      )
    const all = pairs.flatMap((pair) => [
      ...copiesOf(pair, buffers, pageBytes),
      ...(drafter ? copiesOf(pair, drafter.buffers, drafter.pageBytes) : []),
    ])
    replay(this.#device, [], all)
  }

  #submit(step: Step, used: BatchSizes): void {
    const { dispatches, upload } = this.#parts
    const { picks } = used
    const segments: Segment[] = [dispatches.body(used)]
    if (used.entries > 0) segments.push({ dispatches: dispatches.countTokens, rows: used.entries })
    if (picks > 0) segments.push({ dispatches: dispatches.head(picks), rows: picks })
    if (used.samples) segments.push({ dispatches: dispatches.sample, rows: picks })
    if (used.wantsDetails) segments.push({ dispatches: dispatches.logprobs, rows: picks })
    const ring = this.#ring
    this.#ring = (ring + 1) % READBACKS
    replay(this.#device, segments, this.#readbacks(used, ring), upload.flush())
    this.#launched.push({ step, used, kind: kindOf(used), at: performance.now(), ring })
  }

  /** Ids always, the rest where it was asked for. */
  #readbacks({ picks, scores, wantsDetails }: BatchSizes, ring: number): Copy[] {
    const { buffers, sequences, sizes, config } = this.#parts
    const words = latestWords(sizes) * 4
    const whole = (from: GPUBuffer, to: GPUBuffer, bytes: number, toOffset = 0): Copy => ({
      from,
      fromOffset: 0,
      to,
      toOffset,
      bytes,
    })
    const copies = [
      whole(sequences.latest, sequences.history, words, ring * words),
      whole(sequences.history, sequences.readbacks[ring]!, words * READBACKS),
    ]
    if (wantsDetails) {
      const bytes = picks * DETAIL_WORDS * 4
      copies.push(whole(sequences.details, sequences.detailReadbacks[ring]!, bytes))
    }
    if (scores) {
      const bytes = picks * config.vocabularySize * 4
      copies.push(whole(buffers.logits, sequences.logitsReadback, bytes))
    }
    return copies
  }

  /** Milliseconds that the last launched step should take; undefined when its like was never seen. */
  get expected(): number | undefined {
    const last = this.#launched.at(-1)
    return last && this.#clock.expected(last.kind)
  }

  /** Sleeps until shortly before the oldest step should end. */
  async waitUntilNear(): Promise<void> {
    const oldest = this.#launched[0]
    if (oldest) await this.#clock.wait(oldest.kind, oldest.at)
  }

  /** Waits for the oldest `count` steps, with one map for all; their runs' outcomes, step by step. Throws GpuError. */
  async collect(count = 1): Promise<{ outcomes: RunOutcome[]; took: number }[]> {
    const steps = this.#launched.slice(0, count)
    const [first] = steps
    const last = steps.at(-1)
    if (!first || !last) throw new Error('Nothing was launched.')
    await this.#clock.wait(last.kind, first.at, steps.length)
    this.#device.check()
    const woke = performance.now()
    const { sequences, sizes } = this.#parts
    const expected = this.#clock.expected(last.kind)
    const bytes = latestWords(sizes) * READBACKS * 4
    const readback = sequences.readbacks[last.ring]!
    const data = await readMapped(this.#device, readback, bytes, first.at, expected)
    const took = this.#clock.done(last.kind, first.at, performance.now() - woke, steps.length)
    this.busy += took * steps.length
    const history = new Uint32Array(data)
    const all: { outcomes: RunOutcome[]; took: number }[] = []
    for (const one of steps) all.push({ outcomes: await this.#outcomes(one, history), took })
    this.#launched.splice(0, steps.length)
    return all
  }

  async #outcomes({ step, used, ring }: Launched, history: Uint32Array): Promise<RunOutcome[]> {
    const { sequences, sizes, config } = this.#parts
    const words = latestWords(sizes)
    const { vocabularySize: vocabulary } = config
    const read = (buffer: GPUBuffer, count: number): Promise<ArrayBuffer> =>
      readMapped(this.#device, buffer, count * 4, performance.now(), 0)
    const { picks } = used
    const details = used.wantsDetails
      ? new Uint32Array(await read(sequences.detailReadbacks[ring]!, picks * DETAIL_WORDS))
      : null
    const logits = used.scores
      ? new Float32Array(await read(sequences.logitsReadback, picks * vocabulary))
      : null
    const latest = history.subarray(ring * words, (ring + 1) * words)
    return outcomesOf(step, this.#batch, latest, { details, logits, vocabulary })
  }

  /** Waits until the GPU is done with everything, and forgets it. */
  async drain(): Promise<void> {
    if (this.#launched.length > 0) await this.collect(this.#launched.length)
  }
}

/** Steps of like size take like time. */
function kindOf({ rows, picks, reach }: BatchSizes): string {
  const tiles = (count: number): number => (count <= 3 ? count : 3 + Math.ceil(count / ROW_TILE))
  return `${tiles(rows)} ${tiles(picks)} ${Math.round(Math.log2(reach + 1) * 2)}`
}
