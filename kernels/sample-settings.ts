/** What a caller of the sampling kernels may ask for, without the kernels: the engine's caller's side starts sooner so. */
export interface SampleSettings {
  /** 0: the most likely token. */
  temperature: number
  /** 1: off. */
  topP: number
  /** 0: off. */
  minP: number
  /** 1: off. */
  typicalP: number
  /** 1: off; the other two penalties: 0. */
  repetition: number
  presence: number
  frequency: number
  /** 0: off. */
  topK: number
  seed: number
  /** Whether the bias and the mask of the sequence's slot count; otherwise they are not read. */
  biased: boolean
  masked: boolean
}

/** Every token as likely as the model says. */
export const PLAIN: SampleSettings = {
  temperature: 1,
  topP: 1,
  minP: 0,
  typicalP: 1,
  repetition: 1,
  presence: 0,
  frequency: 0,
  topK: 0,
  seed: 0,
  biased: false,
  masked: false,
}

/** Most tokens beside the chosen one whose log-probabilities are told. */
export const MOST_ALTERNATIVES = 20
