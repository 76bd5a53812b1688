/**
 * Server-sent events as a plain `ReadableStream`, pulled by the socket: a reader that stops reading stops the source.
 * hono's own `streamSSE` is not used because it swallows write errors, so that a client that left would never be
 * noticed; here the stream's `cancel` says so.
 */

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

/**
 * A 200 answer whose body is the frames of `source`. The first byte (a comment) leaves at once, so that neither side
 * of a long prefill takes the other for dead.
 * @param source yields whole frames; it reports its own errors as frames and never throws
 */
export function sseResponse(source: AsyncIterator<string>, options: SseOptions): Response {
  const encoder = new TextEncoder()
  let timer: NodeJS.Timeout | undefined
  let open = true
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(COMMENT))
      timer = setInterval(() => {
        // Only into an empty queue: a reader that has stopped needs no proof of life, and gets no pile of it.
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(COMMENT))
      }, options.keepAliveMs)
    },
    async pull(controller) {
      const next = await source.next()
      if (!open) return
      if (next.done) {
        clearInterval(timer)
        controller.close()
      } else {
        timer?.refresh()
        controller.enqueue(encoder.encode(next.value))
      }
    },
    async cancel() {
      open = false
      clearInterval(timer)
      options.onCancel()
      await source.return?.()
    },
  })
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      // nginx would otherwise hold frames back until its buffer is full.
      'x-accel-buffering': 'no',
    },
  })
}
