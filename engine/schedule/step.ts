/** What one turn of the loop computes: plain data, made by the scheduler, run by the runner, committed by the scheduler. */
import type { Started, TableEntry } from './kv-space.ts'
import type { Request } from './request.ts'

/** The rows of one request in a step. */
export interface Run {
  readonly request: Request
  readonly slot: number
  /** Position of the first row. */
  readonly position: number
  /** Ids of the rows that the host knows; empty when the one row's id is still on the GPU. */
  readonly ids: readonly number[]
  /** Drafted ids behind them, each a row of its own; with a draft model only their number is known. */
  readonly drafts: { readonly count: number; readonly ids: readonly number[] | null }
  /** Rows in all. */
  readonly rows: number
  /** How many of the last rows choose a token (or are scored). */
  readonly picks: number
}

export interface Step {
  /** Counts from 0. */
  readonly number: number
  readonly started: readonly Started[]
  readonly tables: readonly TableEntry[]
  readonly runs: readonly Run[]
}

/** A step while it is planned. */
export interface Draft {
  readonly number: number
  readonly started: Started[]
  tables: TableEntry[]
  readonly runs: Run[]
  /** Rows of prompts that are left. */
  prompt: number
  /** Rows that may still choose a token. */
  picks: number
}

/** What a run brought, one id a pick; the draft model's own ids where it drafted. */
export interface Outcome {
  readonly ids: readonly number[]
  readonly drafts?: readonly number[]
}

/** Ids of a request that count, in the order of `picks`. */
export interface Kept {
  readonly run: Run
  readonly ids: readonly number[]
}
