/** What a tokenizer puts around a text. */

import { type JsonObject, tokenContent } from './files.ts'

const SEQUENCE = { Sequence: { id: 'A', type_id: 0 } }

/**
 * `post_processor` of tokenizer.json; where tokenizer_config.json sets `add_bos_token` or `add_eos_token`, those stand for
 * it, as in transformers.
 */
export function postProcessorOf(json: JsonObject, config: JsonObject): unknown {
  const { add_bos_token: bos, add_eos_token: eos } = config
  if (typeof bos !== 'boolean' && typeof eos !== 'boolean') return json.post_processor ?? null
  const edge = (wanted: unknown, token: unknown) => {
    const content = wanted === true ? tokenContent(token) : undefined
    return content === undefined ? [] : [{ SpecialToken: { id: content, type_id: 0 } }]
  }
  const single = [...edge(bos, config.bos_token), SEQUENCE, ...edge(eos, config.eos_token)]
  return { type: 'TemplateProcessing', single, pair: [], special_tokens: {} }
}
