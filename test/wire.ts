/** A hop on the way to a server, as a proxy is: notes when bytes come back, and may cut what is silent for too long. */
import { connect, createServer, type Socket } from 'node:net'

export interface Wire {
  readonly port: number
  /** When bytes came from the server, on the clock of `performance.now()`; the first is when a client connected. */
  readonly times: readonly number[]
  /** What came. */
  text(): string
  /** Connections cut for their silence. */
  cuts(): number
  close(): Promise<void>
}

/** @param idleMs silence after which both sides are cut, as proxies do; default: never */
export async function tapWire(target: URL, idleMs = 0): Promise<Wire> {
  const times: number[] = []
  const sockets = new Set<Socket>()
  let text = ''
  let cuts = 0
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    const both = [client, upstream]
    times.push(performance.now())
    upstream.on('data', (chunk) => {
      times.push(performance.now())
      text += chunk.toString('latin1')
    })
    if (idleMs > 0) {
      upstream.setTimeout(idleMs, () => {
        cuts++
        for (const socket of both) socket.destroy()
      })
    }
    for (const socket of both) {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      socket.on('error', () => socket.destroy())
    }
    client.pipe(upstream)
    upstream.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('The tap has no port.')
  return {
    port: address.port,
    times,
    text: () => text,
    cuts: () => cuts,
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Milliseconds between one byte and the next, at most. */
export function longestSilence(times: readonly number[]): number {
  return Math.max(0, ...times.slice(1).map((time, i) => time - (times[i] ?? time)))
}
