/** A step's rows in eight bits: what a norm left for products over integers, in the buffer that else holds them as f32. */
import { type Capabilities, type Format, formatOf } from '../../kernels/index.ts'
import type { Matrix } from '../weights/load.ts'
import type { Norm } from '../weights/model-weights.ts'

export class Int8Rows {
  readonly buffer: GPUBuffer

  constructor(buffer: GPUBuffer) {
    this.buffer = buffer
  }
}

/** Activations that a product reads. */
export type Rows = GPUBuffer | Int8Rows

/** Number type of what products over norms read. */
export type Activations = 'f32' | 'int8'

/**
 * Where eight bits were measured to be faster: weights of 4 bits on lavapipe and on SwiftShader. Not with 8 bits, where a
 * multiplication serves one row and not two; nor on a GPU, where packed dot products pay and our plain integers may not.
 */
const isFaster = ({ bits }: Format, { software }: Capabilities): boolean => software && bits === 4

/**
 * Whether a norm leaves its rows in eight bits for `reader`. It may where it is an RMS norm and the weights are integers.
 * @param asked null: where it is faster
 */
export function leavesInt8(
  norm: Norm,
  reader: Matrix,
  asked: Activations | null,
  caps: Capabilities,
): boolean {
  const format = formatOf(reader.format)
  if (norm.bias !== null || !format.integers) return false
  return asked === null ? isFaster(format, caps) : asked === 'int8'
}
