/**
 * How many rows of prompts a step may take while answers are streaming: as many as let it last about twice as long as a
 * step without them, so that a long prompt never makes those who read wait much longer than they are used to
 * (Sarathi-Serve, Agrawal et al. 2024). Learnt from the steps themselves.
 */
import { ROW_TILE } from '../kernels/index.ts'
import type { Step } from './schedule/step.ts'

/** A step with prompts may take so many times what one without takes. */
const STRETCH = 2
const WEIGHT = 0.3
/** Before anything is known. */
const FIRST_ROWS = 2 * ROW_TILE

export class Pace {
  /** Milliseconds of a step of decoding rows alone. */
  #decoding: number | null = null
  /** Milliseconds that a row of a prompt adds. */
  #row: number | null = null

  /** A step took so many milliseconds. */
  note(step: Step, took: number): void {
    const prompt = promptRows(step)
    if (prompt === 0) this.#decoding = blend(this.#decoding, took)
    else if (prompt === rowsOf(step)) this.#row = blend(this.#row, took / prompt)
    else if (this.#decoding !== null) {
      this.#row = blend(this.#row, Math.max(took - this.#decoding, took / 100) / prompt)
    }
  }

  /** Rows of prompts for the next step. `streaming`: sequences that somebody reads as they grow. */
  budget(chunk: number, streaming: number): number {
    if (streaming === 0) return chunk
    if (this.#decoding === null || this.#row === null) return Math.min(chunk, FIRST_ROWS)
    const rows = (this.#decoding * (STRETCH - 1)) / this.#row
    const tiles = Math.floor(rows / ROW_TILE) * ROW_TILE
    return Math.min(chunk, Math.max(ROW_TILE, tiles))
  }

  /** Forgets: another device may be another adapter. */
  reset(): void {
    this.#decoding = null
    this.#row = null
  }
}

const blend = (before: number | null, now: number): number =>
  before === null ? now : before + (now - before) * WEIGHT

const rowsOf = (step: Step): number => step.runs.reduce((sum, run) => sum + run.rows, 0)

/** Rows of runs that are more than one row and its drafts: prompts, and what was sent back and came again. */
const promptRows = (step: Step): number =>
  step.runs.reduce((sum, run) => {
    const own = run.rows - run.drafts.count
    return sum + (own > 1 ? own : 0)
  }, 0)
