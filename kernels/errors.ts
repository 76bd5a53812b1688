/** An error of the GPU layer: no adapter, invalid WGSL, a wrong binding, out of memory, a lost device. */
export class GpuError extends Error {
  override readonly name = 'GpuError'
  readonly kind: GpuErrorKind

  constructor(kind: GpuErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

export type GpuErrorKind =
  | 'no-adapter'
  | 'limit'
  | 'compile'
  | 'validation'
  | 'out-of-memory'
  | 'lost'
