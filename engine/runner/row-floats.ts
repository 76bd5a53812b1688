/** Floats of activations that a row of a step takes, buffer by buffer. */
import { leftRowFloats, paddedHalf, ROW_TILE, roundUp } from '../../kernels/index.ts'
import type { DecoderConfig } from '../models/config.ts'

export function rowFloats(config: DecoderConfig) {
  const { heads, kvHeads, headDim, hiddenSize, experts } = config
  return {
    hidden: roundUp(hiddenSize, 32),
    normed: leftRowFloats(hiddenSize),
    queries: heads * paddedHalf(headDim) * 2,
    fresh: 2 * kvHeads * paddedHalf(headDim) * 2,
    projected: roundUp((heads + 2 * kvHeads) * headDim, 32),
    attended: roundUp(heads * headDim, 32),
    gated: gatedFloats(config),
    routerLogits: experts ? roundUp(experts.count, 32) : 0,
  }
}

/** A row's gated values: of its MLP, or of all experts that it goes through. */
function gatedFloats({ intermediateSize, experts }: DecoderConfig): number {
  const own = roundUp(intermediateSize, 32)
  return experts ? Math.max(own, experts.chosen * roundUp(experts.intermediateSize, 32)) : own
}

/** Rows, in whole tiles, whose activations fit bindings of so many bytes, whichever of the models computes. */
export function rowsThatFit(maxBinding: number, configs: readonly DecoderConfig[]): number {
  const widest = Math.max(...configs.flatMap((config) => Object.values(rowFloats(config))))
  return Math.floor(maxBinding / 4 / widest / ROW_TILE) * ROW_TILE
}
