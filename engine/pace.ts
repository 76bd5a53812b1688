/**
 * How many rows of prompts a step may take. While answers are streaming: as many as let it last about twice as long as a
 * step without them, so that a long prompt never makes those who read wait much longer than they are used to
 * (Sarathi-Serve, Agrawal et al. 2024). Else as many as a newcomer may wait for. Learnt from the steps themselves. Rows cost
 * by the tile: what is left of the last one is free.
 */
import { ROW_TILE } from '../kernels/index.ts'
import type { Step } from './schedule/step.ts'

/** A step with prompts may take so many times what one without takes. */
const STRETCH = 2
const WEIGHT = 0.3
/** Milliseconds that a step may take when nobody reads along: who comes next waits for it. */
const LONGEST = 400
/** What it takes at least: of fewer rows, a step's dispatches would cost too much. */
const WORTH_ROWS = 64
/** Fewer rows are not worth a step's attention. */
const FEWEST_ROWS = ROW_TILE / 2

const tilesOf = (rows: number): number => Math.ceil(rows / ROW_TILE)

export class Pace {
  /** Milliseconds of a step of decoding rows alone. */
  #decoding: number | null = null
  /** Milliseconds that a further tile of rows takes. */
  #tile: number | null = null

  /** A step took so many milliseconds. */
  note(step: Step, took: number): void {
    const rows = step.runs.reduce((sum, run) => sum + run.rows, 0)
    const decoding = rows - promptRows(step)
    const more = tilesOf(rows) - tilesOf(decoding)
    if (decoding === rows) this.#decoding = blend(this.#decoding, took)
    else if (decoding === 0) this.#tile = blend(this.#tile, took / tilesOf(rows))
    else if (this.#decoding !== null && more > 0) {
      this.#tile = blend(this.#tile, Math.max(took - this.#decoding, took / 100) / more)
    }
  }

  /**
   * Rows of prompts for the next step.
   * @param chunk the most
   * @param streaming sequences that somebody reads as they grow
   */
  budget(chunk: number, streaming: number): number {
    if (streaming === 0) {
      const rows = this.#tile ? Math.floor(LONGEST / this.#tile) * ROW_TILE : 0
      return Math.min(chunk, Math.max(WORTH_ROWS, rows))
    }
    const known = this.#decoding !== null && this.#tile !== null && this.#tile > 0
    const more = known ? Math.floor((this.#decoding! * (STRETCH - 1)) / this.#tile!) : 1
    const rows = (tilesOf(streaming) + more) * ROW_TILE - streaming
    return Math.min(chunk, rows < FEWEST_ROWS ? rows + ROW_TILE : rows)
  }

  /** Forgets: another device may be another adapter. */
  reset(): void {
    this.#decoding = null
    this.#tile = null
  }
}

const blend = (before: number | null, now: number): number =>
  before === null ? now : before + (now - before) * WEIGHT

/** Rows of runs that are more than one row and its drafts: prompts, and what was sent back and came again. */
const promptRows = (step: Step): number =>
  step.runs.reduce((sum, run) => {
    const own = run.rows - run.drafts.count
    return sum + (own > 1 ? own : 0)
  }, 0)
