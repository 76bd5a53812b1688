/** The ids that begin and end texts: those that a GGUF names, and those that its tokens' names give away. */
import type { JsonObject, JsonValue } from '../weights/json.ts'
import type { Metadata } from './metadata.ts'

/** ggml's kinds of tokens. */
export const TOKEN_TYPE = { unknown: 2, control: 3, userDefined: 4 } as const

const NAMED = {
  bos_token_id: 'bos_token_id',
  eos_token_id: 'eos_token_id',
  pad_token_id: 'padding_token_id',
} as const

/** End an answer wherever they are control tokens, as llama.cpp has it: files seldom name more than one. */
const ENDS = new Set([
  ...['<|eot_id|>', '<|im_end|>', '<|end|>', '<|return|>', '<|call|>', '<end_of_turn>'],
  ...['<|endoftext|>', '<|eom_id|>', '<|end_of_text|>', '<EOT>', '<｜end▁of▁sentence｜>'],
])
/** Where both are there `<|end|>` only ends a message. */
const HARMONY = ['<|return|>', '<|call|>']

/** bos, eos and pad, one each, as config.json has them. */
export function plainIds(meta: Metadata): Record<string, JsonValue> {
  const ids: Record<string, JsonValue> = {}
  for (const [name, key] of Object.entries(NAMED)) {
    const id = meta.number(`tokenizer.ggml.${key}`)
    if (id !== undefined) ids[name] = id
  }
  return ids
}

/** generation_config.json: every id that ends an answer. */
export function deriveGeneration(meta: Metadata): JsonObject {
  const ids = plainIds(meta)
  const tokens = meta.strings('tokenizer.ggml.tokens') ?? []
  const types = meta.numbers('tokenizer.ggml.token_type') ?? []
  const named = ['eos_token_id', 'eot_token_id', 'eom_token_id'].flatMap(
    (key) => meta.number(`tokenizer.ggml.${key}`) ?? [],
  )
  const unknown = meta.number('tokenizer.ggml.unknown_token_id')
  const isControl = (id: number) =>
    id !== unknown && (types[id] === TOKEN_TYPE.control || types[id] === TOKEN_TYPE.userDefined)
  const isHarmony = HARMONY.every((token) => tokens.includes(token))
  const found = tokens.flatMap((token, id) =>
    ENDS.has(token) && isControl(id) && !(isHarmony && token === '<|end|>') ? [id] : [],
  )
  const ends = [...new Set([...named, ...found])]
  const [first, ...more] = ends
  const eos = first === undefined ? {} : { eos_token_id: more.length === 0 ? first : ends }
  return { _from_model_config: true, ...ids, ...eos }
}
