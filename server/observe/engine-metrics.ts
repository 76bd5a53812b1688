/** The engines' own counts, read when somebody scrapes. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { EngineStats } from '../../engine/api.ts'
import type { ServedEngine } from '../contract/served-engine.ts'

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]

interface EngineMetric {
  readonly kind: 'counter' | 'gauge'
  readonly name: string
  readonly help: string
  /** Beside the model. */
  readonly labels?: readonly string[]
  readonly samples: (stats: EngineStats) => readonly Sample[]
}

const one = (read: (stats: EngineStats) => number) => (stats: EngineStats) =>
  [[{}, read(stats)]] as const

/** A sample for each member of a record, under the label of this name. */
const each = (label: string, counts: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(counts).map(([name, value]) => [{ [label]: name }, value])

const pagesByState = ({
  window,
  free,
  cached,
  inUse,
}: EngineStats['pageGroups'][number]): Sample[] =>
  Object.entries({ free, cached, in_use: inUse }).map(([state, value]) => [
    { window: window === null ? 'all' : String(window), state },
    value,
  ])

const SECOND = 1000

const METRICS: readonly EngineMetric[] = [
  {
    kind: 'gauge',
    name: 'sequences',
    help: 'Sequences in the engine, by state',
    labels: ['state'],
    samples: ({ running, queued }) => each('state', { running, queued }),
  },
  {
    kind: 'gauge',
    name: 'kv_pages',
    help: 'Pages of the KV cache (16 tokens each), by state',
    labels: ['state'],
    samples: ({ pages: { free, cached, inUse } }) => each('state', { free, cached, in_use: inUse }),
  },
  {
    kind: 'gauge',
    name: 'kv_window_pages',
    help: 'Pages of the KV cache, by how many tokens back the layers look that use them, and by state',
    labels: ['window', 'state'],
    samples: ({ pageGroups }) => pageGroups.flatMap(pagesByState),
  },
  {
    kind: 'gauge',
    name: 'kv_usage_ratio',
    help: 'Share of the KV pages that running sequences hold, of the layers where it is highest',
    samples: one(({ pageGroups }) =>
      Math.max(0, ...pageGroups.map(({ inUse, total }) => inUse / Math.max(1, total))),
    ),
  },
  {
    kind: 'gauge',
    name: 'gpu_memory_bytes',
    help: 'Live GPU buffers, by purpose',
    labels: ['purpose'],
    samples: ({ memory }) => each('purpose', memory.byPurpose),
  },
  {
    kind: 'counter',
    name: 'prefix_lookup_tokens_total',
    help: 'Prompt tokens of started sequences that were looked up in the prefix cache',
    samples: one(({ prefix }) => prefix.promptTokens),
  },
  {
    kind: 'counter',
    name: 'prefix_hit_tokens_total',
    help: 'Prompt tokens that were found in the prefix cache',
    samples: one(({ prefix }) => prefix.cachedTokens),
  },
  {
    kind: 'counter',
    name: 'preemptions_total',
    help: 'Running sequences that were sent back for want of pages',
    samples: one(({ preemptions }) => preemptions),
  },
  {
    kind: 'counter',
    name: 'drafted_tokens_total',
    help: 'Tokens drafted ahead by speculation',
    samples: one(({ speculation }) => speculation.drafted),
  },
  {
    kind: 'counter',
    name: 'drafted_tokens_accepted_total',
    help: 'Drafted tokens that were right',
    samples: one(({ speculation }) => speculation.accepted),
  },
  {
    kind: 'counter',
    name: 'device_restarts_total',
    help: 'GPU devices opened again after one was lost',
    samples: one(({ restarts }) => restarts),
  },
  {
    kind: 'counter',
    name: 'engine_steps_total',
    help: 'Steps launched',
    samples: one(({ steps }) => steps),
  },
  {
    kind: 'counter',
    name: 'gpu_busy_seconds_total',
    help: 'Time that the GPU was at work, as the host saw it',
    samples: one(({ busy }) => busy / SECOND),
  },
  {
    kind: 'counter',
    name: 'gpu_calls_total',
    help: 'Calls to the GPU, by kind',
    labels: ['kind'],
    samples: ({ calls }) => each('kind', calls),
  },
  {
    kind: 'counter',
    name: 'engine_loop_seconds_total',
    help: 'Time of the event loop of the engine’s thread, by state',
    labels: ['state'],
    samples: ({ loop: { active, idle } }) =>
      each('state', { active: active / SECOND, idle: idle / SECOND }),
  },
  {
    kind: 'gauge',
    name: 'adapter_info',
    help: 'The adapter that runs the model; always 1',
    labels: ['adapter', 'vendor', 'kind'],
    samples: ({ adapter: { name, vendor, kind } }) => [[{ adapter: name, vendor, kind }, 1]],
  },
]

/** @param engines those that are loaded at the moment */
export function addEngineMetrics(registry: Registry, engines: () => readonly ServedEngine[]): void {
  for (const { kind, name, help, labels = [], samples } of METRICS) {
    const settings = {
      name: `illuminator_${name}`,
      help,
      labelNames: ['model', ...labels],
      registers: [registry],
    }
    const read = (put: (labels: Record<string, string>, value: number) => void) => {
      for (const { info, stats } of engines()) {
        for (const [own, value] of samples(stats)) put({ model: info.id, ...own }, value)
      }
    }
    if (kind === 'gauge') {
      new Gauge({
        ...settings,
        collect() {
          this.reset()
          read((own, value) => this.set(own, value))
        },
      })
    } else {
      new Counter({
        ...settings,
        collect() {
          // The engine counts; here its count is only shown.
          this.reset()
          read((own, value) => this.inc(own, value))
        },
      })
    }
  }
}
