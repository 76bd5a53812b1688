/** What the graph of a model is made of. */
import type { Tunings } from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'
import type { ModelWeights } from '../weights/model-weights.ts'
import type { ModelBuffers, SequenceBuffers } from './buffers.ts'
import type { Sizes } from './sizes.ts'

export interface DecoderParts {
  readonly config: DecoderConfig
  readonly weights: ModelWeights
  readonly buffers: ModelBuffers
  readonly sequences: SequenceBuffers
  readonly sizes: Sizes
  readonly tunings: Tunings
}
