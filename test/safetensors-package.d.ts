/** Types of the npm package `safetensors`, which has none: the part that tests use as a reference. */
declare module 'safetensors' {
  interface ReferenceTensor {
    dtype: string
    shape: number[]
    /** Absolute, in the file. */
    data_offsets: [number, number]
  }
  class SafeTensor {
    /** @param file a whole file, at the start of its buffer */
    constructor(file: Uint8Array)
    readonly metadata: Map<string, ReferenceTensor>
    getTensor(name: string): Uint8Array
  }
  const reference: { SafeTensor: typeof SafeTensor }
  export default reference
}
