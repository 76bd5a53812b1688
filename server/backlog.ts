/**
 * What lies between an engine that does not wait and a reader who may be slow: chunks are taken as they are made, and
 * what the reader has not asked for yet is joined and bounded. Without it, every token of a reader that stopped would
 * be kept as an object of its own until the answer's end.
 */
import type { Chunk, TokenLogprob } from '../engine/api.ts'
import { ApiError } from './contract/errors.ts'
import { takeTurn } from './turns.ts'

/** Most bytes that wait for one reader, about. */
const MAX_WAITING = 256 * 1024

/** Chunks that wait as they are; from here on they are joined. */
const SEPARATE = 32

/** What the objects around a chunk's contents take, about. */
const CHUNK_BYTES = 160

interface Waiting extends Chunk {
  ids: number[]
  logprobs: TokenLogprob[] | null
}

/**
 * The chunks of a source, with those joined that waited too long: texts and ids one after the other, as if the engine
 * had told them together. Fails with ApiError `reader_too_slow` when more than `limit` bytes wait.
 */
export class Backlog implements AsyncIterableIterator<Chunk> {
  readonly #source: AsyncIterator<Chunk>
  readonly #onTaken: (chunk: Chunk) => void
  readonly #limit: number
  readonly #waiting: Waiting[] = []
  #bytes = 0
  #started = false
  #ended = false
  #error: unknown = null
  #wake: (() => void) | null = null

  /** @param onTaken hears of every chunk that its reader takes */
  constructor(
    source: AsyncIterable<Chunk>,
    onTaken: (chunk: Chunk) => void = () => undefined,
    limit = MAX_WAITING,
  ) {
    this.#source = source[Symbol.asyncIterator]()
    this.#onTaken = onTaken
    this.#limit = limit
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Nothing waits, and nothing will. */
  get isOver(): boolean {
    return this.#ended && this.#waiting.length === 0
  }

  /** The next chunk, if one waits. Throws the source's error once all that was told before it was taken. */
  take(): Chunk | undefined {
    const chunk = this.#waiting.shift()
    if (chunk) {
      this.#bytes -= sizeOf(chunk)
      this.#onTaken(chunk)
    } else if (this.#error !== null) throw this.#error
    return chunk
  }

  /** Calls `hear` once, when there is something to take or all is over. One may wait at a time. */
  wait(hear: () => void): void {
    if (!this.#started) {
      this.#started = true
      void this.#fill()
    }
    if (this.#waiting.length > 0 || this.#ended) takeTurn(hear)
    else this.#wake = hear
  }

  async next(): Promise<IteratorResult<Chunk, undefined>> {
    let chunk = this.take()
    while (chunk === undefined && !this.isOver) {
      await new Promise<void>((resolve) => this.wait(resolve))
      chunk = this.take()
    }
    return chunk ? { done: false, value: chunk } : { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<Chunk, undefined>> {
    this.#waiting.length = 0
    this.#ended = true
    await this.#source.return?.()
    return { done: true, value: undefined }
  }

  /** Takes what the source has, as fast as it has it. Its error comes after what it told before. */
  async #fill(): Promise<void> {
    try {
      for (let step = await this.#source.next(); !step.done && !this.#ended; ) {
        this.#keep(step.value)
        if (this.#bytes > this.#limit && this.#waiting.length > 1) {
          this.#waiting.length = 0
          throw tooSlow(this.#limit)
        }
        this.#notify()
        step = await this.#source.next()
      }
    } catch (error) {
      this.#error = error
      if (error instanceof ApiError) await this.#source.return?.()
    }
    this.#ended = true
    this.#notify()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = null
    if (wake) takeTurn(wake)
  }

  #keep(chunk: Chunk): void {
    this.#bytes += sizeOf(chunk)
    const last =
      this.#waiting.length < SEPARATE || chunk.finishReason ? undefined : this.#lastOf(chunk.index)
    if (last === undefined) {
      this.#waiting.push({
        ...chunk,
        ids: [...chunk.ids],
        logprobs: chunk.logprobs && [...chunk.logprobs],
      })
      return
    }
    this.#bytes -= CHUNK_BYTES
    last.text += chunk.text
    last.ids.push(...chunk.ids)
    if (chunk.logprobs) last.logprobs?.push(...chunk.logprobs)
    last.tokens = chunk.tokens
  }

  /** The last chunk of a choice that waits. Choices take turns: it is among the last few. */
  #lastOf(index: number): Waiting | undefined {
    return this.#waiting.findLast((chunk) => chunk.index === index)
  }
}

const tooSlow = (limit: number): ApiError =>
  new ApiError(
    'reader_too_slow',
    `More than ${limit} bytes of this answer waited for their reader; read faster, or ask for fewer tokens.`,
  )

/** About what a chunk takes in memory. */
function sizeOf({ text, ids, logprobs }: Chunk): number {
  let bytes = CHUNK_BYTES + 2 * text.length + 8 * ids.length
  for (const { top } of logprobs ?? []) bytes += 64 * (1 + top.length)
  return bytes
}
