/**
 * The keys of `config.json` that most families have in common, read into a `DecoderConfig` that Llama's block has: a
 * family says what it has otherwise. Sizes have no defaults: a config that leaves them out is broken, and guessing would
 * surface as wrong shapes or, worse, as wrong text.
 */
import { z } from 'zod'
import type { JsonObject } from '../weights/json.ts'
import { type Activation, activation, type DecoderConfig } from './config.ts'
import { parseRotary, rotatedShare } from './rotary-config.ts'
import { badKey, flagOr, positiveInteger, positiveNumber, tokenIds, validate } from './validate.ts'

const FILE = 'config.json'

const generationSchema = z.object({ bos_token_id: tokenIds, eos_token_id: tokenIds })

const schemaOf = (given: Activation | undefined, isTied: boolean) =>
  z.object({
    hidden_size: positiveInteger,
    num_hidden_layers: positiveInteger,
    num_attention_heads: positiveInteger,
    num_key_value_heads: positiveInteger.nullish(),
    head_dim: positiveInteger.nullish(),
    intermediate_size: positiveInteger,
    vocab_size: positiveInteger,
    max_position_embeddings: positiveInteger,
    rms_norm_eps: positiveNumber,
    hidden_act:
      given === undefined
        ? activation
        : z
            .any()
            .optional()
            .transform(() => given),
    tie_word_embeddings: flagOr(isTied),
    attention_bias: flagOr(false),
    mlp_bias: flagOr(false),
    bos_token_id: tokenIds,
    eos_token_id: tokenIds,
  })

/** In what families differ about the same keys. */
interface Habits {
  /** Where it does not stand in `hidden_act`. */
  readonly activation?: Activation
  /** What no word about `tie_word_embeddings` means. */
  readonly isTied?: boolean
  /** Where layers do not all see everything in the same rotation. */
  readonly attention?: DecoderConfig['attention']
}

/**
 * Reads what Llama's block has.
 *
 * @throws EngineError('model') naming file, key, what was found and what was expected
 */
export function decoderConfig(
  json: JsonObject,
  generation: JsonObject,
  habits: Habits = {},
): DecoderConfig {
  const read = validate(schemaOf(habits.activation, habits.isTied ?? false), json, FILE)
  const heads = read.num_attention_heads
  const kvHeads = read.num_key_value_heads ?? heads
  if (heads % kvHeads !== 0) {
    throw badKey(FILE, 'num_key_value_heads', kvHeads, `a divisor of num_attention_heads, ${heads}`)
  }
  const headDim = headDimOf(read.head_dim ?? null, read.hidden_size, heads)
  return {
    ...PLAIN,
    hiddenSize: read.hidden_size,
    layers: read.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    intermediateSize: read.intermediate_size,
    vocabularySize: read.vocab_size,
    contextLength: read.max_position_embeddings,
    normEps: read.rms_norm_eps,
    activation: read.hidden_act,
    attention: habits.attention ?? [{ window: null, rotary: parseRotary(json) }],
    rotaryDimensions: rotaryDimensions(json, headDim),
    attentionScale: headDim ** -0.5,
    tiedHead: read.tie_word_embeddings,
    // One key for all four projections: LlamaAttention gives o_proj the bias too.
    attentionBias: read.attention_bias,
    outputBias: read.attention_bias,
    mlpBias: read.mlp_bias,
    ...specialIds(json, generation, read.vocab_size),
  }
}

/** The switches as Llama has them. */
export const PLAIN = {
  norm: 'rms',
  normOffset: 0,
  normPlacement: 'before',
  queryKeyNorm: 'none',
  mlp: 'gated',
  experts: null,
  sparse: [],
  rotaryPairs: 'halves',
  learnedPositions: false,
  attentionCap: null,
  sinks: false,
  embeddingScale: 1,
  residualScale: 1,
  logitScale: 1,
  logitCap: null,
} as const satisfies Partial<DecoderConfig>

/** For architectures without biases, whatever a config says. */
export const NO_BIASES = { attentionBias: false, outputBias: false, mlpBias: false } as const

/** `json` with a family's own base of the rotation where it names none. */
export const assumingTheta = (json: JsonObject, theta: number): JsonObject => ({
  ...json,
  rope_theta: json.rope_theta ?? theta,
})

/** The stated size of a head, or the hidden size shared out; even, since rotation turns pairs. */
export function headDimOf(stated: number | null, hiddenSize: number, heads: number): number {
  if (stated === null && hiddenSize % heads !== 0) {
    const expected = `a divisor of hidden_size, ${hiddenSize}, or head_dim beside it`
    throw badKey(FILE, 'num_attention_heads', heads, expected)
  }
  const size = stated ?? hiddenSize / heads
  if (size % 2 !== 0) {
    const key = stated === null ? 'hidden_size / num_attention_heads' : 'head_dim'
    throw badKey(FILE, key, size, 'an even number, for rotation')
  }
  return size
}

/** @throws EngineError('model') for a share that no whole pairs make */
function rotaryDimensions(json: JsonObject, headDim: number): number {
  const share = rotatedShare(json)
  const dimensions = Math.floor(headDim * share)
  if (dimensions < 2 || dimensions % 2 !== 0) {
    const expected = `a share of head_dim, ${headDim}, that is an even number of dimensions`
    throw badKey(FILE, 'partial_rotary_factor', share, expected)
  }
  return dimensions
}

/** The ids of both files without repeats; one that the vocabulary does not have would be read out of bounds. */
export function specialIds(
  json: JsonObject,
  generation: JsonObject,
  vocabularySize: number,
): Pick<DecoderConfig, 'bosIds' | 'eosIds'> {
  const own = validate(generationSchema, json, FILE)
  const first = validate(generationSchema, generation, 'generation_config.json')
  const merged = (key: 'bos_token_id' | 'eos_token_id'): number[] => {
    for (const [file, ids] of [
      ['generation_config.json', first[key]],
      [FILE, own[key]],
    ] as const) {
      const beyond = ids.find((id) => id >= vocabularySize)
      if (beyond === undefined) continue
      throw badKey(file, key, beyond, `below vocab_size, ${vocabularySize}`)
    }
    return [...new Set([...first[key], ...own[key]])]
  }
  return { bosIds: merged('bos_token_id'), eosIds: merged('eos_token_id') }
}
