/** How one request's tokens are chosen, ready for the GPU: settings, a bias and a mask over the vocabulary, what is told of each. */
import { PLAIN, type SampleSettings } from '../../kernels/sample-settings.ts'
import { ListMask, type TokenMask } from './token-mask.ts'

/** What a request asks for, as plain data. */
export interface SamplingSpec {
  readonly settings: SampleSettings
  /** (id, bias) */
  readonly bias: readonly (readonly [number, number])[] | null
  /** Ids that may be chosen; null: all. */
  readonly allowed: readonly number[] | null
  /** Alternatives whose log-probabilities are told with those of the choice; null: none are told. */
  readonly logprobs: number | null
}

export interface Sampling {
  readonly settings: SampleSettings
  /** Generated tokens count: some penalty is in use. */
  readonly penalised: boolean
  /** Added to the logits of these tokens. */
  readonly bias: ReadonlyMap<number, number> | null
  readonly mask: TokenMask | null
  readonly logprobs: number | null
}

/** Ready for a model with so many tokens. */
export function samplingFrom(spec: SamplingSpec, vocabulary: number): Sampling {
  const { settings, bias, allowed, logprobs } = spec
  const { repetition, presence, frequency } = settings
  return {
    settings,
    penalised: repetition !== 1 || presence !== 0 || frequency !== 0,
    bias: bias && new Map(bias),
    mask: allowed && new ListMask(allowed, vocabulary),
    logprobs,
  }
}

/** The most likely token, whatever came before. */
export const GREEDY_SPEC: SamplingSpec = {
  settings: { ...PLAIN, temperature: 0 },
  bias: null,
  allowed: null,
  logprobs: null,
}

export const GREEDY: Sampling = samplingFrom(GREEDY_SPEC, 0)

const IN_PROMPT = 0x80000000

/** Counts of a sequence's tokens as sample.wgsl reads them: times generated, the top bit for those of the prompt. */
export function countsOf(
  prompt: readonly number[],
  generated: readonly number[],
  vocabulary: number,
): Uint32Array {
  const counts = new Uint32Array(vocabulary)
  for (const id of prompt) counts[id] = IN_PROMPT
  for (const id of generated) counts[id]! += 1
  return counts
}

export function denseBias(bias: ReadonlyMap<number, number>, vocabulary: number): Float32Array {
  const dense = new Float32Array(vocabulary)
  for (const [id, value] of bias) dense[id] = value
  return dense
}
