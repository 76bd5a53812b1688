/** A step as the flat arrays that the kernels read: rows, tiles of rows, picks, tokens to count. Filled anew each step. */
import { LATEST, PAGE, ROW_TILE, roundUp } from '../../kernels/index.ts'
import type { Sampling } from '../sampling/sampling.ts'
import { residenceOf } from '../schedule/kv-space.ts'
import type { Request } from '../schedule/request.ts'
import type { Run } from '../schedule/step.ts'
import type { ModelBuffers } from './buffers.ts'
import type { Sizes } from './sizes.ts'
import type { Upload } from './upload.ts'

export type SamplingOf = (request: Request) => Sampling

/** How much of the arrays a step uses. */
export interface BatchSizes {
  readonly rows: number
  readonly tiles: number
  /** Most rows of a tile. */
  readonly tileRows: number
  readonly picks: number
  readonly entries: number
  /** Sum over the rows of the tokens that they attend to: what attention costs. */
  readonly reach: number
  /** Most tokens that a row attends to. */
  readonly longest: number
  /** Some pick chooses a token; else all are scored. */
  readonly samples: boolean
  readonly scores: boolean
  readonly wantsDetails: boolean
}

export class Batch {
  /** By group of layers: they differ in the places. */
  readonly rows: readonly Uint32Array[]
  readonly tiles: Uint32Array
  /** (row, slot, place in `latest`, drafts before it). */
  readonly picks: Uint32Array
  /** Row of each pick. */
  readonly headSource: Uint32Array
  readonly wanted: Uint32Array
  /** (slot, token) to count as generated. */
  readonly entries: Uint32Array
  readonly #sizes: Sizes
  /** Tokens of a slot's sequence that are counted. */
  readonly #counted: Uint32Array
  #used = emptySizes()
  #placeOf: (slot: number, index: number) => number = () => 0

  constructor(sizes: Sizes) {
    const rows = roundUp(sizes.rows, ROW_TILE)
    const picks = roundUp(sizes.picks, ROW_TILE)
    this.#sizes = sizes
    this.rows = sizes.groups.map(() => new Uint32Array(rows * 4))
    this.tiles = new Uint32Array(rows * 4)
    this.picks = new Uint32Array(picks * 4)
    this.headSource = new Uint32Array(picks)
    this.wanted = new Uint32Array(picks)
    this.entries = new Uint32Array(rows * 2)
    this.#counted = new Uint32Array(sizes.slots)
  }

  /** Place in `latest` of the id that the `index`-th pick of a slot's run chooses. */
  chosenAt(slot: number, index: number): number {
    return slot * (1 + this.#sizes.drafts) + index
  }

  /** Place in `latest` of the `index`-th id that the draft model chooses. */
  draftedAt(slot: number, index: number): number {
    return this.chosenAt(this.#sizes.slots, 0) + this.chosenAt(slot, index)
  }

  /** A sequence begins in a slot: all its tokens are known and counted. */
  begin(slot: number, tokens: number): void {
    this.#counted[slot] = tokens
  }

  /**
   * Fills the arrays; rows are those of the runs in their order.
   * @param tileRows most rows of a tile
   * @param placeOf where in `latest` the choice of a run's pick goes
   */
  fill(
    runs: readonly Run[],
    samplingOf: SamplingOf,
    tileRows: number,
    placeOf: (slot: number, index: number) => number = (slot, index) => this.chosenAt(slot, index),
  ): BatchSizes {
    const used = emptySizes()
    this.#used = used
    this.#placeOf = placeOf
    for (const array of this.rows) array.fill(0)
    for (const run of runs) {
      const sampling = samplingOf(run.request)
      const first = used.rows
      this.#addRows(run)
      this.#addTiles(run, first, tileRows)
      if (run.picks > 0) this.#addPicks(run, first, sampling)
    }
    return used
  }

  /** Notes the used part of the arrays that every model reads. */
  upload(upload: Upload, buffers: ModelBuffers, { rows, tiles, picks }: BatchSizes): void {
    for (const [group, array] of this.rows.entries()) {
      const buffer = buffers.rowsByGroup[group] as GPUBuffer
      upload.add(buffer, 0, array.subarray(0, roundUp(rows, ROW_TILE) * 4))
    }
    upload.add(buffers.tiles, 0, this.tiles.subarray(0, tiles * 4))
    upload.add(buffers.picks, 0, this.picks.subarray(0, picks * 4))
    upload.add(buffers.headSource, 0, this.headSource.subarray(0, picks))
  }

  #addRows(run: Run): void {
    const { slot, position, ids, drafts } = run
    const own = run.rows - drafts.count
    for (let i = 0; i < own; i++) {
      this.#addRow(run, position + i, ids[i] ?? (LATEST | this.chosenAt(slot, 0)) >>> 0)
    }
    for (let i = 0; i < drafts.count; i++) {
      const code = drafts.ids?.[i] ?? (LATEST | this.draftedAt(slot, i)) >>> 0
      this.#addRow(run, position + own + i, code)
    }
  }

  #addRow({ request, slot }: Run, position: number, token: number): void {
    for (const [group, { pages }] of residenceOf(request).tables.entries()) {
      const place = pages[Math.floor(position / PAGE)]! * PAGE + (position % PAGE) + 1
      this.rows[group]!.set([token, position, slot, place], this.#used.rows * 4)
    }
    this.#used.rows++
    this.#used.reach += position + 1
    this.#used.longest = Math.max(this.#used.longest, position + 1)
  }

  #addTiles({ slot, rows }: Run, first: number, most: number): void {
    for (let at = 0; at < rows; at += most) {
      const count = Math.min(most, rows - at)
      this.tiles.set([first + at, count, slot, 0], this.#used.tiles * 4)
      this.#used.tiles++
      this.#used.tileRows = Math.max(this.#used.tileRows, count)
    }
  }

  #addPicks(run: Run, first: number, sampling: Sampling): void {
    const used = this.#used
    const scored = run.request.options.score !== 'none'
    if (scored) used.scores = true
    else {
      used.samples = true
      if (sampling.penalised) this.#count(run)
      if (sampling.logprobs !== null) used.wantsDetails = true
    }
    for (let i = 0; i < run.picks; i++) {
      const row = first + run.rows - run.picks + i
      // What a scored row would choose nobody reads.
      const out = scored ? this.draftedAt(this.#sizes.slots, 0) : this.#placeOf(run.slot, i)
      this.picks.set([row, run.slot, out, scored ? 0 : i], used.picks * 4)
      this.headSource[used.picks] = row
      this.wanted[used.picks] = scored || sampling.logprobs === null ? 0 : 1 + sampling.logprobs
      used.picks++
    }
  }

  /** Input tokens that were generated since the last time, drafts aside. */
  #count({ request, slot, position, rows, drafts }: Run): void {
    const end = position + rows - drafts.count
    for (let at = this.#counted[slot]!; at < end; at++) {
      const token = request.tokens[at] ?? (LATEST | this.chosenAt(slot, 0)) >>> 0
      this.entries.set([slot, token], this.#used.entries * 2)
      this.#used.entries++
    }
    this.#counted[slot] = Math.max(this.#counted[slot]!, end)
  }
}

type Counting = { -readonly [K in keyof BatchSizes]: BatchSizes[K] }

const emptySizes = (): Counting => ({
  rows: 0,
  tiles: 0,
  tileRows: 0,
  picks: 0,
  entries: 0,
  reach: 0,
  longest: 0,
  samples: false,
  scores: false,
  wantsDetails: false,
})
