/** Layers that look back equally far share pages: a group has its own pool, and a sequence a page table in each. */
import { PAGE } from './page-size.ts'

export interface KvGroup {
  /** Tokens that a query of its layers sees, its own included; 0: all. */
  readonly window: number
  /** Pages in all. */
  readonly pages: number
  /** Most pages that one sequence holds at once: those of a window and of the rows of a step; without one, all. */
  readonly held: number
}

/** Stands for a page that is not there: outside the window, or given to somebody else. */
export const NONE = -1

/** Pages that so many tokens fill or begin. */
export const pagesOf = (tokens: number): number => Math.ceil(tokens / PAGE)

/** Place in the page table of the first page that the token at `position` sees a key of. */
export const firstPage = (window: number, position: number): number =>
  window > 0 ? Math.floor(Math.max(0, position + 1 - window) / PAGE) : 0

/** Most pages that `rows` rows in a row see and fill, wherever they begin, of a sequence of `most` pages. */
export const heldPages = (window: number, rows: number, most: number): number =>
  window > 0 ? Math.min(most, Math.ceil((window + rows - 2) / PAGE) + 1) : most
