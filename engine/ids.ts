/** Checks of ids that callers hand in. */
import { EngineError } from './errors.ts'

/** Throws EngineError('bad_request') for an id outside the vocabulary. */
export function checkIds(ids: readonly number[], vocabulary: number, param: string): void {
  const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary)
  if (bad === undefined) return
  const message = `${param} holds the token id ${bad}; ids of this model go from 0 to ${vocabulary - 1}.`
  throw new EngineError('bad_request', message, { param })
}

/** Throws EngineError('bad_request') for an empty prompt, too. */
export function checkPrompt(ids: readonly number[], vocabulary: number): void {
  if (ids.length === 0) {
    const message = 'prompt holds no tokens; send at least one.'
    throw new EngineError('bad_request', message, { param: 'prompt' })
  }
  checkIds(ids, vocabulary, 'prompt')
}
