/**
 * Server-sent events, pulled by the socket: a reader that stops reading stops the source. hono's own `streamSSE` is not
 * used because it swallows write errors, so that a client that left would never be noticed.
 *
 * An answer is a `Response` with a `ReadableStream`, as any other; `serve.ts` writes its frames to the socket itself.
 * Frames are taken where they wait and not awaited one by one: of all that a token costs here, promises and streams in
 * between cost most.
 */
import type { ServerResponse } from 'node:http'

/** The frames of one answer, for one reader. */
export interface Frames {
  /** Those that wait, one after the other, as much as one write should hold; '' when none do. Never throws. */
  take(): string
  /** The last frame was taken. */
  readonly isOver: boolean
  /** Calls `hear` once, as soon as there may be something to take. */
  wait(hear: () => void): void
  /** The reader has gone. */
  leave(): void
}

/** One data frame. */
export function dataFrame(payload: unknown): string {
  return `data: ${JSON.stringify(payload)}\n\n`
}

/** The frame that ends a complete stream. */
export const DONE_FRAME = 'data: [DONE]\n\n'

/** Characters from which on frames are left for the next write: what Node holds for a reader before it says stop. */
export const FULL_WRITE = 16 * 1024

const COMMENT = ': keep-alive\n\n'

export interface Events {
  readonly frames: Frames
  readonly keepAliveMs: number
}

/** By the body, which outlives the response that middleware puts headers on. */
const EVENTS = new WeakMap<ReadableStream, Events>()

/**
 * A 200 answer whose body is these frames. The first byte (a comment) leaves at once, so that neither side of a long
 * prefill takes the other for dead.
 * @param keepAliveMs longest silence; a comment fills it
 */
export function sseResponse(frames: Frames, keepAliveMs: number): Response {
  const events = { frames, keepAliveMs }
  const body = bodyOf(events)
  EVENTS.set(body, events)
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      // nginx would otherwise hold frames back until its buffer is full.
      'x-accel-buffering': 'no',
    },
  })
}

/** The frames of an answer made by `sseResponse` that nobody has begun to read. */
export function eventsIn(response: Response): Events | undefined {
  return response.body ? EVENTS.get(response.body) : undefined
}

/** Nothing happens before somebody reads: until then the frames may go another way. */
function bodyOf({ frames, keepAliveMs }: Events): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let timer: NodeJS.Timeout | undefined
  let open = true
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (timer === undefined) {
          controller.enqueue(encoder.encode(COMMENT))
          timer = setInterval(() => {
            // Only into an empty queue: a reader that has stopped needs no proof of life, and gets no pile of it.
            if (controller.desiredSize === 0) controller.enqueue(encoder.encode(COMMENT))
          }, keepAliveMs)
          return
        }
        let text = frames.take()
        while (text === '' && !frames.isOver) {
          await new Promise<void>((resolve) => frames.wait(resolve))
          if (!open) return
          text = frames.take()
        }
        timer.refresh()
        if (text !== '') controller.enqueue(encoder.encode(text))
        if (!frames.isOver) return
        clearInterval(timer)
        controller.close()
      },
      cancel() {
        open = false
        clearInterval(timer)
        frames.leave()
      },
    },
    { highWaterMark: 0 },
  )
}

/** Writes an answer's head and frames to its socket, frames once the reader has room for them. */
export function writeEvents(
  { frames, keepAliveMs }: Events,
  { headers, status }: Response,
  outgoing: ServerResponse,
): void {
  let open = true
  const leave = () => {
    if (!open) return
    open = false
    clearInterval(timer)
    frames.leave()
  }
  const end = () => {
    open = false
    clearInterval(timer)
    outgoing.end()
  }
  const write = () => {
    while (open && !outgoing.writableNeedDrain) {
      const text = frames.take()
      if (text !== '') outgoing.write(text)
      if (frames.isOver) return end()
      if (text === '') return frames.wait(write)
      timer.refresh()
    }
  }
  const timer = setInterval(() => {
    if (!outgoing.writableNeedDrain) outgoing.write(COMMENT)
  }, keepAliveMs)
  if (outgoing.destroyed) {
    leave()
    return
  }
  outgoing.once('close', leave)
  outgoing.on('error', leave)
  outgoing.on('drain', write)
  outgoing.writeHead(status, Object.fromEntries(headers))
  outgoing.write(COMMENT)
  write()
}
