/**
 * Runs steps on the GPU: writes what changed, replays the recorded dispatches in one pass and one submit, and reads ids
 * back late. `launch…` and `collect` are apart, so that the next step is under way while the last is read.
 */
import {
  type Copy,
  type Device,
  packSettings,
  replay,
  type SampleSettings,
  SETTINGS_BYTES,
  type Segment,
} from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'
import { type Buffers, PREFILL_ROWS, READBACKS } from './buffers.ts'
import type { DecoderDispatches } from './decoder.ts'
import { mapWhenDone, StepClock } from './wait.ts'

const IN_PROMPT = 0x80000000
/** Steps that `warmUp` takes. */
export const WARM_UP_STEPS = 2

/** The most likely id, whatever came before. */
export const GREEDY: SampleSettings = {
  temperature: 0,
  topP: 1,
  minP: 0,
  repetition: 1,
  presence: 0,
  frequency: 0,
  topK: 0,
  seed: 0,
}

export interface PrefillStep {
  readonly ids: readonly number[]
  /** Position of the first of `ids`. */
  readonly position: number
  /** Choose the token after the last of `ids`. */
  readonly sample: boolean
}

export class Runner {
  readonly #device: Device
  readonly #config: DecoderConfig
  readonly #buffers: Buffers
  readonly #dispatches: DecoderDispatches
  /** Tokens that a sequence may hold. */
  readonly capacity: number
  readonly #clock = new StepClock()
  readonly #rows = new Uint32Array(PREFILL_ROWS * 4)
  /** Read-backs under way, oldest first; null stands for a step without one. */
  readonly #launched: { kind: string; buffer: GPUBuffer | null; at: number }[] = []
  #next = 0
  /** Steps launched so far. */
  steps = 0

  constructor(
    device: Device,
    config: DecoderConfig,
    buffers: Buffers,
    dispatches: DecoderDispatches,
    capacity: number,
  ) {
    this.#device = device
    this.#config = config
    this.#buffers = buffers
    this.#dispatches = dispatches
    this.capacity = capacity
  }

  /** Steps launched and not yet collected. */
  get inFlight(): number {
    return this.#launched.length
  }

  /** Dispatches that one decoded token takes. */
  get dispatchesPerToken(): number {
    const { decode, decodeHead, sample } = this.#dispatches
    return decode.length + decodeHead.length + sample.length
  }

  /** Begins a sequence: its sampling settings, and which tokens its prompt holds. */
  begin(prompt: readonly number[], settings: SampleSettings): void {
    const { memory } = this.#device
    const counts = new Uint32Array(this.#config.vocabularySize)
    for (const id of prompt) counts[id] = IN_PROMPT
    memory.write(this.#buffers.counts, 0, counts)
    const bytes = new ArrayBuffer(SETTINGS_BYTES)
    packSettings(settings, bytes)
    memory.write(this.#buffers.settings, 0, new Uint8Array(bytes))
  }

  /** Launches a chunk of a prompt: at most PREFILL_ROWS ids. */
  launchPrefill(step: PrefillStep): void {
    this.#uploadRows(step)
    const segments: Segment[] = [{ dispatches: this.#dispatches.prefill, rows: step.ids.length }]
    const tiles = Math.ceil(step.ids.length / 8) // steps of like size take like time
    if (!step.sample) {
      this.#launch(`prefill ${tiles}`, segments, null)
      return
    }
    this.#selectRows([step.ids.length - 1])
    const last = step.ids.length - 1
    this.#device.memory.write(
      this.#buffers.decodeRows,
      0,
      this.#rows.subarray(last * 4, last * 4 + 4),
    )
    segments.push({ dispatches: this.#dispatches.prefillHead, rows: 1 })
    this.#sampleInto(`prompt end ${tiles}`, segments)
  }

  /** Launches one more token of the sequence; its input is already on the GPU. */
  launchDecode(): void {
    this.#sampleInto('decode', [
      { dispatches: this.#dispatches.decode, rows: 1 },
      { dispatches: this.#dispatches.decodeHead, rows: 1 },
    ])
  }

  #sampleInto(kind: string, segments: readonly Segment[]): void {
    const buffer = this.#buffers.readbacks[this.#next] as GPUBuffer
    this.#next = (this.#next + 1) % READBACKS
    const copy: Copy = { from: this.#buffers.ids, fromOffset: 0, to: buffer, toOffset: 0, bytes: 4 }
    this.#launch(kind, [...segments, { dispatches: this.#dispatches.sample, rows: 1 }], buffer, [
      copy,
    ])
  }

  #launch(
    kind: string,
    segments: readonly Segment[],
    buffer: GPUBuffer | null,
    copies: readonly Copy[] = [],
  ): void {
    replay(this.#device, segments, copies)
    this.#launched.push({ kind, buffer, at: performance.now() })
    this.steps++
  }

  /** Runs every pipeline once: drivers compile at the first use. The sequence begun next writes over what it leaves. */
  async warmUp(onStep: () => void): Promise<void> {
    this.begin([], GREEDY)
    this.launchPrefill({ ids: [0], position: 0, sample: true })
    await this.collect()
    onStep()
    if (this.capacity > 1) {
      this.launchDecode()
      await this.collect()
    }
    onStep()
    this.#clock.reset()
  }

  /** Waits for the oldest step. The id it chose, or null when it chose none. Throws GpuError. */
  async collect(): Promise<number | null> {
    const step = this.#launched.shift()
    if (!step) throw new Error('Nothing was launched.')
    if (!step.buffer) {
      await this.#clock.wait(step.kind, step.at)
      const woke = performance.now()
      await this.#device.gpu.queue.onSubmittedWorkDone()
      this.#device.check()
      this.#clock.done(step.kind, step.at, performance.now() - woke)
      return null
    }
    const data = await mapWhenDone(this.#device, step.buffer, 4, this.#clock, step.kind, step.at)
    return new Uint32Array(data)[0] ?? 0
  }

  /** Forgets steps under way, once the GPU is done with them. */
  async drain(): Promise<void> {
    while (this.#launched.length > 0) await this.collect()
  }

  /** Runs a prefill chunk and reads logits of `wanted` rows of it: [row][vocabulary]. */
  async logits(step: PrefillStep, wanted: readonly number[]): Promise<Float32Array[]> {
    this.#uploadRows(step)
    replay(this.#device, [{ dispatches: this.#dispatches.prefill, rows: step.ids.length }])
    const { headRows, logits, logitsReadback } = this.#buffers
    const size = this.#config.vocabularySize
    const all: Float32Array[] = []
    for (let first = 0; first < wanted.length; first += headRows) {
      const rows = wanted.slice(first, first + headRows)
      this.#selectRows(rows)
      const bytes = rows.length * size * 4
      replay(
        this.#device,
        [{ dispatches: this.#dispatches.prefillHead, rows: rows.length }],
        [{ from: logits, fromOffset: 0, to: logitsReadback, toOffset: 0, bytes }],
      )
      const data = new Float32Array(
        await mapWhenDone(
          this.#device,
          logitsReadback,
          bytes,
          this.#clock,
          'logits',
          performance.now(),
        ),
      )
      all.push(...rows.map((_, i) => data.slice(i * size, (i + 1) * size)))
    }
    return all
  }

  #uploadRows(step: PrefillStep): void {
    this.#rows.fill(0)
    step.ids.forEach((id, i) => {
      // One sequence, its pages in order: the slot is the position.
      this.#rows.set([id, step.position + i, 0, step.position + i + 1], i * 4)
    })
    this.#device.memory.write(this.#buffers.prefillRows, 0, this.#rows)
  }

  #selectRows(rows: readonly number[]): void {
    this.#device.memory.write(this.#buffers.headSource, 0, Uint32Array.from(rows))
  }
}
