/**
 * Readers that stop reading. What is written to them waits (in the response or the socket, both bounded by whoever
 * writes), and after a while without a byte taken they are dropped, so that nothing of theirs is held for ever.
 */
import type { Socket } from 'node:net'

/** What a socket had left to send when it last moved. */
interface Progress {
  taken: number
  queued: number
  /** `performance.now()` when either changed. */
  since: number
}

export interface StalledReaders {
  /** Watches a socket until it closes. */
  watch(socket: Socket): void
  stop(): void
}

/**
 * Drops the sockets whose reader takes nothing for `milliseconds`. One timer for all of them: a thousand streams must
 * not set a timer for each token.
 * @param onDrop is told before the socket is reset
 */
export function stalledReaders(
  milliseconds: number,
  onDrop: (socket: Socket) => void,
): StalledReaders {
  const sockets = new Map<Socket, Progress>()
  const look = (socket: Socket, before: Progress) => {
    const now = progressOf(socket)
    const moved = now.taken !== before.taken || now.queued !== before.queued
    if (moved || !isWaiting(socket, now)) sockets.set(socket, now)
    else if (now.since - before.since >= milliseconds) {
      onDrop(socket)
      // Not `destroy()`: the kernel would go on offering what it still holds.
      socket.resetAndDestroy()
    }
  }
  const lookAtAll = () => {
    for (const [socket, before] of sockets) look(socket, before)
  }
  const timer = setInterval(lookAtAll, milliseconds / 8)
  timer.unref()
  return {
    watch(socket) {
      sockets.set(socket, progressOf(socket))
      socket.once('close', () => sockets.delete(socket))
    },
    stop: () => clearInterval(timer),
  }
}

function progressOf(socket: Socket): Progress {
  return {
    taken: socket.bytesWritten - socket.writableLength,
    queued: kernelQueue(socket),
    since: performance.now(),
  }
}

const isWaiting = (socket: Socket, { queued }: Progress): boolean =>
  socket.writableLength > 0 || queued > 0

/**
 * What is left of the write under way. Node tells it nowhere else, and its own time limit for sockets reads it too:
 * without it, a long body on a slow line would look as if nothing moved until all of it was gone.
 */
function kernelQueue(socket: Socket): number {
  const handle = '_handle' in socket ? socket._handle : null
  if (typeof handle !== 'object' || handle === null || !('writeQueueSize' in handle)) return 0
  return Number(handle.writeQueueSize)
}
