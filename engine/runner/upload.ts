/** Gathers what a step tells the GPU, so that it goes there in one write; copies in the step's own submit put it where kernels read it. */
import type { Copy, Device } from '../../kernels/index.ts'

export class Upload {
  readonly #device: Device
  readonly #staging: GPUBuffer
  readonly #words: Uint32Array
  #used = 0
  #copies: Copy[] = []

  /** @param staging holds as many words as ever go in a step */
  constructor(device: Device, staging: GPUBuffer) {
    this.#device = device
    this.#staging = staging
    this.#words = new Uint32Array(staging.size / 4)
  }

  /** Notes words to be copied to `offset` (bytes, a multiple of 4) of `to`. */
  add(to: GPUBuffer, offset: number, words: ArrayLike<number>): void {
    if (words.length === 0) return
    if (this.#used + words.length > this.#words.length) {
      throw new Error(`A step tells the GPU more than ${this.#words.length} words.`)
    }
    this.#words.set(words, this.#used)
    const bytes = words.length * 4
    this.#copies.push({
      from: this.#staging,
      fromOffset: this.#used * 4,
      to,
      toOffset: offset,
      bytes,
    })
    this.#used += words.length
  }

  /** Writes what was noted; the copies must come before anything of this submit reads. */
  flush(): Copy[] {
    const copies = this.#copies
    if (this.#used > 0) {
      this.#device.memory.write(this.#staging, 0, this.#words.subarray(0, this.#used))
    }
    this.#used = 0
    this.#copies = []
    return copies
  }
}
