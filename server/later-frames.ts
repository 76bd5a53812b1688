/** Frames of an answer that has to be waited for. */
import type { Frames } from './sse.ts'

/** None until there is an answer, then its own. */
export class LaterFrames implements Frames {
  readonly #abandon: () => void
  #frames: Frames | null = null
  #hear: (() => void) | null = null
  #isLeft = false

  /**
   * @param answered never rejects
   * @param abandon ends the wait; called when the reader leaves before the answer is there
   */
  constructor(answered: Promise<Frames>, abandon: () => void) {
    this.#abandon = abandon
    void answered.then((frames) => {
      this.#frames = frames
      if (this.#isLeft) frames.leave()
      this.#hear?.()
    })
  }

  get isOver(): boolean {
    return this.#frames?.isOver ?? false
  }

  take(): string {
    return this.#frames?.take() ?? ''
  }

  wait(hear: () => void): void {
    if (this.#frames) this.#frames.wait(hear)
    else this.#hear = hear
  }

  leave(): void {
    this.#isLeft = true
    if (this.#frames) this.#frames.leave()
    else this.#abandon()
  }
}

/** One frame that is there already. */
export class LastFrame implements Frames {
  readonly #frame: string
  isOver = false

  constructor(frame: string) {
    this.#frame = frame
  }

  take(): string {
    if (this.isOver) return ''
    this.isOver = true
    return this.#frame
  }

  wait(hear: () => void): void {
    setImmediate(hear)
  }

  leave(): void {
    this.isOver = true
  }
}
