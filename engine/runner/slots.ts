/** What a sequence's slot holds on the GPU: page table, sampling settings, counts, bias and mask over the vocabulary. */
import { type Device, packSettings, SETTINGS_BYTES } from '../../kernels/index.ts'
import { countsOf, denseBias, type Sampling } from '../sampling/sampling.ts'
import { residenceOf, type TableEntry } from '../schedule/kv-space.ts'
import type { Request } from '../schedule/request.ts'
import { maskWords, type SequenceBuffers } from './buffers.ts'
import type { Upload } from './upload.ts'

export class Slots {
  readonly #device: Device
  readonly #buffers: SequenceBuffers
  readonly #vocabulary: number
  readonly #pages: number

  /** @param pages width of a page table */
  constructor(device: Device, buffers: SequenceBuffers, vocabulary: number, pages: number) {
    this.#device = device
    this.#buffers = buffers
    this.#vocabulary = vocabulary
    this.#pages = pages
  }

  /** Puts everything of a sequence that starts into its slot. */
  begin(request: Request, sampling: Sampling): void {
    const { slot, tables } = residenceOf(request)
    const { memory } = this.#device
    const { pageTables, settings, counts, bias } = this.#buffers
    for (const [group, { pages, first }] of tables.entries()) {
      // Nobody reads what lies before the window.
      const held = Uint32Array.from(pages.slice(first))
      memory.write(pageTables[group] as GPUBuffer, (slot * this.#pages + first) * 4, held)
    }
    const bytes = new ArrayBuffer(SETTINGS_BYTES)
    packSettings(sampling.settings, bytes)
    memory.write(settings, slot * SETTINGS_BYTES, new Uint8Array(bytes))
    const row = slot * this.#vocabulary * 4
    if (sampling.penalised) {
      const generated = request.tokens.slice(request.prompt.length)
      memory.write(counts, row, countsOf(request.prompt, generated, this.#vocabulary))
    }
    if (sampling.bias) memory.write(bias, row, denseBias(sampling.bias, this.#vocabulary))
    if (sampling.mask?.isFixed) this.#writeMask(request, sampling.mask)
  }

  /** Before a token is chosen: the mask where it depends on the tokens before. */
  refresh(request: Request, { mask }: Sampling): void {
    if (mask && !mask.isFixed) this.#writeMask(request, mask)
  }

  addPage({ slot, group, index, page }: TableEntry, upload: Upload): void {
    const table = this.#buffers.pageTables[group] as GPUBuffer
    upload.add(table, (slot * this.#pages + index) * 4, [page])
  }

  #writeMask(request: Request, mask: NonNullable<Sampling['mask']>): void {
    const at = residenceOf(request).slot * maskWords(this.#vocabulary) * 4
    const words = mask.allowed(request.tokens.slice(request.prompt.length))
    this.#device.memory.write(this.#buffers.mask, at, words)
  }
}
