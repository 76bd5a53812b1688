/** The ids that end an answer, from everything that a model's folder says of them. */

/** What is asked of a tokenizer. */
interface Tokens {
  readonly eosId: number | undefined
  readonly specialIds: ReadonlySet<number>
  idOf(token: string): number | undefined
}

/**
 * Control tokens that end a turn, in the families' templates. Of harmony's two the first ends the answer, the second only a
 * message of it; so the second is no end where the first is there.
 */
const TURN_ENDS = [
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<end_of_turn>',
  '<|return|>',
  '<|call|>',
  '<|end|>',
  '<|end_of_turn|>',
  '<end_of_utterance>',
] as const

/**
 * Those that the configurations name, and the tokenizer's end-of-text token. Where none of them ends a turn, so that a
 * chat would never stop, those tokens too with which the model's chat template ends one (as llama.cpp does).
 *
 * @param declared of generation_config.json and config.json
 * @param template null for a model without one
 */
export function endIds(
  declared: readonly number[],
  tokenizer: Tokens,
  template: { mentions(text: string): boolean } | null,
  vocabularySize: number,
): number[] {
  const { eosId, specialIds } = tokenizer
  const ids = new Set(declared)
  if (eosId !== undefined && eosId < vocabularySize) ids.add(eosId)
  const ends = TURN_ENDS.flatMap((text) => {
    const id = tokenizer.idOf(text)
    return id !== undefined && id < vocabularySize && specialIds.has(id) ? [{ text, id }] : []
  })
  if (template === null || ends.some(({ id }) => ids.has(id))) return [...ids]
  const written = ends.filter(({ text }) => template.mentions(text))
  const isHarmony = written.some(({ text }) => text === '<|return|>')
  for (const { text, id } of written) if (!isHarmony || text !== '<|end|>') ids.add(id)
  return [...ids]
}
