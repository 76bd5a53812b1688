/** Tokens drafted ahead of a request: by the sequence itself, or by a model on the GPU. */
import { lookUp } from './lookup.ts'
import type { Request } from './request.ts'
import type { Run } from './step.ts'

export type Drafter = 'lookup' | 'model'

export const NO_DRAFTS: Run['drafts'] = { count: 0, ids: [] }

/** At most as many as the request wants and can still use, and as `picks` allow. */
export function draftsFor(request: Request, picks: number, drafter: Drafter): Run['drafts'] {
  const { options, generated, tokens } = request
  const count = Math.min(options.drafts, options.maxTokens - generated - 1, picks)
  if (count < 1) return NO_DRAFTS
  if (drafter === 'model') return { count, ids: null }
  const ids = lookUp(tokens, count)
  return { count: ids.length, ids }
}
