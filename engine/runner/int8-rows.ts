/** A step's rows in eight bits: what a norm left for products over integers, in the buffer that else holds them as f32. */
import { formatOf } from '../../kernels/index.ts'
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

/** Whether a norm may leave its rows in eight bits for `reader`: an RMS norm, and weights that are integers. */
export const mayBeInt8 = (norm: Norm, reader: Matrix): boolean =>
  norm.bias === null && formatOf(reader.format).integers !== undefined
