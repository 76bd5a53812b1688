/** What the process itself can tell: who it is, its state, its memory, how late its event loop is. */
import { Gauge, type Registry } from 'prom-client'
import type { Lifecycle, Phase } from '../lifecycle.ts'
import { packageVersion } from '../version.ts'
import { readEventLoopDelay, watchEventLoop } from './event-loop.ts'

const PHASES: readonly Phase[] = ['loading', 'ready', 'draining', 'unhealthy']
const QUANTILES = [0.5, 0.9, 0.99, 1] as const

export function addProcessMetrics(registry: Registry, lifecycle: Lifecycle): void {
  const registers = [registry]
  watchEventLoop()
  new Gauge({
    name: 'illuminator_build_info',
    help: 'Versions; always 1',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version: packageVersion(), node: process.versions.node }, 1)
  new Gauge({
    name: 'illuminator_start_time_seconds',
    help: 'When the server started, since the epoch',
    registers,
  }).set(lifecycle.startedAt / 1000)
  new Gauge({
    name: 'illuminator_state',
    help: '1 for the state that the server is in, as /health says it',
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of PHASES) this.set({ state }, state === lifecycle.phase ? 1 : 0)
    },
  })
  new Gauge({
    name: 'illuminator_answers_under_way',
    help: 'Requests for answers that have begun and not ended',
    registers,
    collect() {
      this.set(lifecycle.underWay)
    },
  })
  new Gauge({
    name: 'illuminator_process_memory_bytes',
    help: 'Memory of the process, by kind',
    labelNames: ['kind'],
    registers,
    collect() {
      const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
      const kinds = {
        resident: rss,
        heap_used: heapUsed,
        heap_total: heapTotal,
        external,
        array_buffers: arrayBuffers,
      }
      for (const [kind, bytes] of Object.entries(kinds)) this.set({ kind }, bytes)
    },
  })
  new Gauge({
    name: 'illuminator_event_loop_delay_seconds',
    help: 'Delay of the event loop since the last scrape, by quantile (1 is the longest)',
    labelNames: ['quantile'],
    registers,
    collect() {
      for (const [quantile, seconds] of readEventLoopDelay(QUANTILES)) {
        this.set({ quantile: String(quantile) }, seconds)
      }
    },
  })
}
