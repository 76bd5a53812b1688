/** Which layers look back how far: `sliding_window`, `layer_types`, and what families do without the latter. */
import { z } from 'zod'
import type { JsonObject } from '../weights/json.ts'
import type { DecoderConfig, LayerAttention } from './config.ts'
import { badKey, flagOr, positiveInteger, validate } from './validate.ts'

const FILE = 'config.json'
const TYPES = ['full_attention', 'sliding_attention'] as const
type LayerType = (typeof TYPES)[number]

const schema = z.object({
  num_hidden_layers: positiveInteger,
  sliding_window: positiveInteger.nullish(),
  use_sliding_window: flagOr(false),
  layer_types: z
    .array(z.enum(TYPES, `one of ${TYPES.join(', ')}`), 'a list, one for each layer')
    .nullish(),
})

/** Tokens that a query of a layer with a window sees. */
export function slidingWindow(json: JsonObject): number | null {
  return validate(schema, json, FILE).sliding_window ?? null
}

/** Qwen's and SmolLM3's: a window counts only where `use_sliding_window` says so. */
export function optionalWindow(json: JsonObject): number | null {
  const read = validate(schema, json, FILE)
  return read.use_sliding_window ? (read.sliding_window ?? null) : null
}

/**
 * Layers by `layer_types`, or by the family's own pattern where that is left out.
 *
 * @param pattern repeated over the layers
 * @param of how layer `index`, of that type, attends
 * @throws EngineError('model') where the list is not as long as the model
 */
export function attentionByType(
  json: JsonObject,
  pattern: readonly LayerType[],
  of: (type: LayerType, index: number) => LayerAttention,
): DecoderConfig['attention'] {
  const { layer_types: stated, num_hidden_layers: layers } = validate(schema, json, FILE)
  if (stated && stated.length !== layers) {
    throw badKey(FILE, 'layer_types', stated.length, `${layers} of them, one for each layer`)
  }
  const [first, ...others] = (stated ?? pattern).map(of)
  if (!first) throw badKey(FILE, 'layer_types', stated, 'one for each layer')
  return [first, ...others]
}

/** The window where layers of a type have one. */
export function windowOf(json: JsonObject, type: LayerType): number | null {
  if (type === 'full_attention') return null
  const window = slidingWindow(json)
  if (window === null) {
    throw badKey(
      FILE,
      'sliding_window',
      json.sliding_window,
      'the window of sliding_attention layers',
    )
  }
  return window
}
