/** A second device that compiles what the first has not come to: opened when it is needed, or before. */
import { type Device, type Dispatch, GpuError, SecondDevice } from '../../kernels/index.ts'
import { passed } from './wait.ts'

export class CompilingBeside {
  readonly #device: Device
  #opening: Promise<SecondDevice> | null = null

  constructor(device: Device) {
    this.#device = device
  }

  /** Whether compiling beside makes it any faster. */
  get helps(): boolean {
    return SecondDevice.helps(this.#device)
  }

  /** Whether it was opened ahead of need. */
  get isOpen(): boolean {
    return this.#opening !== null
  }

  /** Begins to open it, where it helps. */
  open(): void {
    if (!this.helps) return
    this.#opening ??= SecondDevice.open(this.#device)
    // Who compiles on it hears of a failure.
    this.#opening.catch(() => undefined)
  }

  /**
   * Takes from `left` what it compiles, and says so of what the first device will find in the driver's cache. What it cannot
   * do, for want of memory or since it was closed, is left.
   */
  async compile(left: Dispatch[], onFound: (dispatch: Dispatch) => void): Promise<void> {
    let one: Dispatch | undefined
    try {
      this.open()
      const second = await this.#opening
      const isOn = (): boolean => this.#device.open && second?.device.open === true
      for (one = left.shift(); second && one && isOn(); one = left.shift()) {
        await second.submit(one.pipeline.source)
        await passed(second.device, second.mark)
        onFound(one)
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
