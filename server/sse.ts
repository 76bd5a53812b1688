/**
 * Server-sent events, pulled by the socket: a reader that stops reading stops the source. hono's own `streamSSE` is not
 * used because it swallows write errors, so that a client that left would never be noticed.
 *
 * An answer is a `Response` with a `ReadableStream`, as any other; `serve.ts` writes its frames to the socket itself,
 * since of all that a token costs here, the stream in between costs most.
 */
import type { ServerResponse } from 'node:http'

export interface SseOptions {
  /** Longest silence in milliseconds; a comment fills it. */
  keepAliveMs: number
  /** Called once when the client has gone. */
  onCancel: () => void
}

/** One data frame. */
export function dataFrame(payload: unknown): string {
  return `data: ${JSON.stringify(payload)}\n\n`
}

/** The frame that ends a complete stream. */
export const DONE_FRAME = 'data: [DONE]\n\n'

const COMMENT = ': keep-alive\n\n'

export interface Events extends SseOptions {
  /** Yields whole frames; it reports its own errors as frames and never throws. */
  readonly source: AsyncIterator<string>
}

/** By the body, which outlives the response that middleware puts headers on. */
const EVENTS = new WeakMap<ReadableStream, Events>()

/**
 * A 200 answer whose body is the frames of `source`. The first byte (a comment) leaves at once, so that neither side
 * of a long prefill takes the other for dead.
 * @param source yields whole frames; it reports its own errors as frames and never throws
 */
export function sseResponse(source: AsyncIterator<string>, options: SseOptions): Response {
  const events = { source, ...options }
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
function bodyOf({ source, keepAliveMs, onCancel }: Events): ReadableStream<Uint8Array> {
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
        const next = await source.next()
        if (!open) return
        if (next.done) {
          clearInterval(timer)
          controller.close()
        } else {
          timer.refresh()
          controller.enqueue(encoder.encode(next.value))
        }
      },
      async cancel() {
        open = false
        clearInterval(timer)
        onCancel()
        await source.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

/** Writes an answer's head and frames to its socket, each frame once the reader has room for it. */
export async function writeEvents(
  { source, keepAliveMs, onCancel }: Events,
  { headers, status }: Response,
  outgoing: ServerResponse,
): Promise<void> {
  let open = true
  const leave = () => {
    if (!open) return
    open = false
    onCancel()
    // Whatever it was about to tell, there is nobody to hear it.
    source.return?.().catch(() => undefined)
  }
  if (outgoing.destroyed) return leave()
  outgoing.once('close', leave)
  outgoing.once('error', leave)
  outgoing.writeHead(status, Object.fromEntries(headers))
  outgoing.write(COMMENT)
  const timer = setInterval(() => {
    if (open && !outgoing.writableNeedDrain) outgoing.write(COMMENT)
  }, keepAliveMs)
  try {
    while (open) {
      if (outgoing.writableNeedDrain) await drained(outgoing)
      const next = await source.next()
      if (!open) return
      if (next.done) break
      timer.refresh()
      outgoing.write(next.value)
    }
  } finally {
    clearInterval(timer)
  }
  outgoing.off('close', leave)
  outgoing.end()
}

/** Resolves when there is room again, or nobody left to make it. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off('drain', done)
      outgoing.off('close', done)
      resolve()
    }
    outgoing.once('drain', done)
    outgoing.once('close', done)
  })
}
