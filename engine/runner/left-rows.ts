/** A step's rows as they are left for a product that does the rest of an RMS norm, in the buffer that else holds normed ones. */
import type { MatmulShape } from '../../kernels/index.ts'

export class LeftRows {
  readonly buffer: GPUBuffer
  /** How the product is to read them. */
  readonly given: Pick<MatmulShape, 'x' | 'eps'>

  constructor(buffer: GPUBuffer, given: Pick<MatmulShape, 'x' | 'eps'>) {
    this.buffer = buffer
    this.given = given
  }
}

/** Activations that a product reads. */
export type Rows = GPUBuffer | LeftRows
