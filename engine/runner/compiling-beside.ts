/** A second device that compiles what the first has not come to, opened when it is needed. */
import { type Device, type Dispatch, GpuError, SecondDevice, sparing } from '../../kernels/index.ts'
import { passed } from './wait.ts'

/** A first run that takes longer is compiled, not found in a cache, ms; and where a wrong guess costs little. */
const COMPILED = 100
const PERHAPS_COMPILED = 20

export class CompilingBeside {
  readonly #device: Device
  /** What a pipeline's first run takes at least where the driver compiles it, ms. */
  readonly compiled: number
  #opening: Promise<SecondDevice> | null = null

  /** @param isFirstOfProcess a driver keeps pools of every device that it ever opened: what is little once piles up */
  constructor(device: Device, isFirstOfProcess: boolean) {
    this.#device = device
    this.compiled = isFirstOfProcess ? PERHAPS_COMPILED : COMPILED
  }

  /** Whether compiling beside makes it any faster. */
  get helps(): boolean {
    return SecondDevice.helps(this.#device)
  }

  /**
   * Takes from `left` what it compiles, and says so of what the first device will find in the driver's cache, before it goes
   * on. What it cannot do, for want of memory say, is left.
   */
  async compile(left: Dispatch[], onFound: (dispatch: Dispatch) => Promise<void>): Promise<void> {
    let one: Dispatch | undefined
    try {
      this.#opening ??= SecondDevice.open(this.#device)
      const second = await this.#opening
      for (one = left.shift(); one && this.#device.open; one = left.shift()) {
        await sparing(second.submit(one.pipeline.source))
        await passed(second.device, second.mark)
        await onFound(one)
      }
    } catch (error) {
      await this.close()
      if (!(error instanceof GpuError)) throw error
    }
    if (one) left.push(one)
  }

  /** Nothing of it stays. It can be opened again. */
  async close(): Promise<void> {
    const opening = this.#opening
    this.#opening = null
    const second = await opening?.catch(() => null)
    second?.close()
  }
}
