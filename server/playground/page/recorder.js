/** What the metrics were, over the last minutes: gauges as they are, counters as rates. */

/** @typedef {import('./metrics-text.js').Metrics} Metrics */
/** @typedef {Record<string, number | null>} Point */

/** Ten minutes at one every two seconds. */
const MOST_POINTS = 300

/** Tokens are counted when an answer ends: over less than this they would come in bursts. */
const WINDOW_SECONDS = 30

export class Recorder {
  /** @type {{ time: number, metrics: Metrics }[]} */
  #scrapes = []
  /** @type {(Point & { time: number })[]} */
  points = []

  /** @param {Metrics} metrics @param {number} time in seconds */
  add(metrics, time) {
    this.#scrapes.push({ time, metrics })
    if (this.#scrapes.length > WINDOW_SECONDS) this.#scrapes.shift()
    const pages = (/** @type {string} */ state) => metrics.sum('kv_pages', { state })
    const busy = this.#rate('gpu_busy_seconds_total', 0)
    const [used, cached, free] = [pages('in_use'), pages('cached'), pages('free')]
    this.points.push({
      time,
      busy: busy === null ? null : Math.min(100, 100 * busy),
      running: metrics.sum('sequences', { state: 'running' }),
      queued: metrics.sum('sequences', { state: 'queued' }),
      used,
      cached,
      free,
      generated:
        this.#rate('completion_tokens_total', WINDOW_SECONDS) ?? (used === null ? null : 0),
      prompt: this.#rate('prompt_tokens_total', WINDOW_SECONDS) ?? (used === null ? null : 0),
      steps: this.#rate('engine_steps_total', 0),
    })
    if (this.points.length > MOST_POINTS) this.points.shift()
  }

  /** One of them over time. @param {string} name @returns {(number | null)[]} */
  series(name) {
    return this.points.map((point) => point[name] ?? null)
  }

  /** A second, over the last so many; null: unknown, or the server was started anew. @param {string} name @param {number} seconds */
  #rate(name, seconds) {
    const now = this.#scrapes.at(-1)
    const earlier = this.#scrapes.slice(0, -1)
    const then = earlier.find(({ time }) => now && now.time - time <= seconds) ?? earlier.at(-1)
    if (!now || !then) return null
    const [from, to] = [then.metrics.sum(name), now.metrics.sum(name)]
    if (to === null || (from ?? 0) > to) return null
    return (to - (from ?? 0)) / (now.time - then.time)
  }
}
