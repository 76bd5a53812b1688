/** The server of `streams-load.ts`: a fake engine behind real sockets, and figures of this process for whoever forked it. */

import diagnostics from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { GenerateOptions, Generation } from '../engine/api.ts'
import { FakeEngine } from '../server/fake-engine.ts'
import { serve } from '../server/serve.ts'

export interface ServerFigures {
  url: string
  rss: number
  /** Since `reset`. */
  peakRss: number
  /** Bytes of JavaScript objects and buffers. */
  heap: number
  /** Microseconds of processor time since `reset`. */
  cpu: number
  /** Milliseconds, p99 since `reset`. */
  loopDelay: number
  /** Bytes that wait in the socket that has most of them, and sockets in which any do. */
  mostWaiting: number
  full: number
}

const rate = Number(process.argv[2])
/** Fast and large enough to fill what the kernel keeps for a reader. */
const fat = new FakeEngine({ rate, words: ['.'.repeat(8192)] })

class LoadEngine extends FakeEngine {
  override generate(prompt: string | readonly number[], options?: GenerateOptions): Generation {
    return prompt === 'fat' ? fat.generate(prompt, options) : super.generate(prompt, options)
  }
}

const words = Array.from({ length: 10_000 }, (_, i) => ` ${i}`)
const engine = new LoadEngine({ rate, words, contextLength: 10_000_000 })
const sockets = new Set<Socket>()
diagnostics.subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: Socket }
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
})
const server = await serve({ port: 0, load: async () => engine, drainSeconds: 0 })
await server.ready

const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
let peakRss = 0
let cpu = process.cpuUsage()
setInterval(() => {
  peakRss = Math.max(peakRss, process.memoryUsage.rss())
}, 250).unref()

process.on('message', (question) => {
  if (question === 'reset') {
    peakRss = 0
    cpu = process.cpuUsage()
    delay.reset()
  }
  if (question === 'collect') globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  const used = process.cpuUsage(cpu)
  const waiting = [...sockets].map((socket) => socket.writableLength)
  const figures: ServerFigures = {
    url: server.url,
    rss,
    peakRss,
    heap: heapUsed + external,
    cpu: used.user + used.system,
    loopDelay: delay.percentile(99) / 1e6,
    mostWaiting: Math.max(0, ...waiting),
    full: waiting.filter((bytes) => bytes > 0).length,
  }
  process.send?.(figures)
})
process.on('disconnect', () => void server.close())
