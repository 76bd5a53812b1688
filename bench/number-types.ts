/** What a loaded model is computed in: figures of one model compare only where this is equal. */
import type { ModelInfo } from '../engine/index.ts'

/** For instance `affine-4bit/32, int8 activations`. */
export const numberTypesOf = ({
  weights,
  activations,
}: Pick<ModelInfo, 'weights' | 'activations'>): string => `${weights}, ${activations} activations`
