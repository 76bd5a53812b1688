/** Which of the ids that a run chose are kept: as far as drafts agreed, up to an id that ends the answer or the limit. */
import type { Ending } from './request.ts'

export interface Accepted {
  readonly ids: readonly number[]
  /** Drafts that were right: the keys and values behind them are, too. */
  readonly drafts: number
  readonly ending: Ending | null
}

/**
 * @param chosen the id chosen after each row
 * @param drafted the id of the row behind, which is right when it is the one chosen
 * @param room ids that the request may still keep, at least 1
 */
export function accept(
  chosen: readonly number[],
  drafted: readonly number[],
  stopIds: ReadonlySet<number>,
  room: number,
): Accepted {
  const ids: number[] = []
  for (const [i, id] of chosen.entries()) {
    if (stopIds.has(id)) return { ids, drafts: i, ending: 'stop' }
    ids.push(id)
    if (ids.length >= room) return { ids, drafts: i, ending: 'length' }
    if (id !== drafted[i]) return { ids, drafts: i, ending: null }
  }
  return { ids, drafts: ids.length, ending: null }
}
