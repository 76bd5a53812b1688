/** Cosines and sines on the GPU: a table for each rotation that a model has. */
import { type Device, PAGE } from '../../kernels/index.ts'
import { attentionAt, type DecoderConfig } from '../models/config.ts'
import { rotaryTable } from '../models/rotary.ts'
import type { RotaryConfig } from '../models/rotary-config.ts'
import type { Sizes } from './sizes.ts'

/** One a layer; layers with the same rotation share it. Throws GpuError when the adapter has no room. */
export async function rotaryBuffers(
  device: Device,
  config: DecoderConfig,
  { context, pagesPerSequence }: Sizes,
): Promise<GPUBuffer[]> {
  const { memory } = device
  const positions = pagesPerSequence * PAGE
  const known = new Map<string, GPUBuffer>()
  const layers: GPUBuffer[] = []
  for (let i = 0; i < config.layers; i++) {
    const { rotary } = attentionAt(config, i)
    const key = JSON.stringify(rotary)
    let buffer = known.get(key)
    if (!buffer) {
      const table = rotations(config, rotary, positions, context)
      buffer = await memory.storage('rotary', 'activations', table.byteLength)
      memory.write(buffer, 0, table)
      known.set(key, buffer)
    }
    layers.push(buffer)
  }
  return layers
}

/**
 * Cosine and sine of every position and pair, in f32 angles as the reference computes them: [positions, headDim / 2]. Pairs
 * that do not turn have angle 0.
 */
function rotations(
  { rotaryDimensions, headDim }: DecoderConfig,
  rotary: RotaryConfig | null,
  positions: number,
  context: number,
): Float32Array {
  const half = headDim / 2
  const table = new Float32Array(positions * half * 2)
  for (let at = 0; at < table.length; at += 2) table[at] = 1
  if (!rotary) return table
  const { inverseFrequencies, attentionFactor } = rotaryTable(rotary, rotaryDimensions, context)
  for (let position = 0; position < positions; position++) {
    inverseFrequencies.forEach((frequency, i) => {
      const angle = Math.fround(position * frequency)
      const at = (position * half + i) * 2
      table[at] = Math.cos(angle) * attentionFactor
      table[at + 1] = Math.sin(angle) * attentionFactor
    })
  }
  return table
}
