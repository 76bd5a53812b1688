/** The status page: what the server does, asked for every two seconds and drawn over the last ten minutes. */
import { call } from './api.js'
import { byId, el, number } from './dom.js'
import { KeyDialog } from './key-dialog.js'
import { Metrics } from './metrics-text.js'
import { Notices } from './notices.js'
import { Plot } from './plots.js'
import { Recorder } from './recorder.js'
import { Trouble } from './trouble.js'

/** @typedef {import('./plots.js').Sheet} Sheet */

const EVERY_MS = 2000

const line = (/** @type {string} */ name) => (/** @type {Recorder} */ recorder) =>
  recorder.series(name)
const sum =
  (/** @type {string[]} */ ...names) =>
  (/** @type {Recorder} */ recorder) =>
    recorder.points.map((point) => {
      const values = names.map((name) => point[name] ?? null)
      return values.includes(null)
        ? null
        : values.reduce((all, value) => (all ?? 0) + (value ?? 0), 0)
    })

/** @type {Sheet[]} */
const SHEETS = [
  {
    title: 'Load',
    hint: 'Share of the time in which the GPU was at work.',
    unit: ' %',
    most: 100,
    lines: [{ label: 'GPU busy', color: '--first', fill: true, of: line('busy') }],
  },
  {
    title: 'Tokens a second',
    hint: 'Counted as answers end, over the last 30 seconds; a step gives each running sequence a token.',
    unit: '',
    digits: 1,
    lines: [
      { label: 'generated', color: '--first', fill: true, of: line('generated') },
      { label: 'of prompts', color: '--second', of: line('prompt') },
      { label: 'steps', color: '--third', dash: [4, 4], of: line('steps') },
    ],
  },
  {
    title: 'Queue',
    hint: 'Sequences that are computed, and those that wait for a place.',
    unit: '',
    lines: [
      { label: 'running', color: '--first', fill: true, of: line('running') },
      { label: 'waiting', color: '--second', of: line('queued') },
    ],
  },
  {
    title: 'Pages',
    hint: 'Of the KV cache, 16 tokens each.',
    unit: '',
    lines: [
      { label: 'in use', color: '--first', fill: true, of: line('used') },
      { label: 'with cached', color: '--second', of: sum('used', 'cached') },
      { label: 'all', color: '--third', dash: [4, 4], of: sum('used', 'cached', 'free') },
    ],
  },
]

const recorder = new Recorder()
const plots = SHEETS.map((sheet) => new Plot(sheet))
const notices = new Notices()
const facts = byId('facts', HTMLElement)
const pause = byId('pause', HTMLButtonElement)
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer
const keys = new KeyDialog(() => {
  notices.clear()
  void look()
})

/** Once, and again after a while, unless paused or turned away. */
async function look() {
  clearTimeout(timer)
  try {
    const metrics = new Metrics(await (await call('/metrics')).text())
    recorder.add(metrics, Date.now() / 1000)
    for (const plot of plots) plot.show(recorder)
    showFacts(metrics)
    notices.clear()
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    if (explain(error)) return
  }
  if (pause.ariaPressed !== 'true') timer = setTimeout(look, EVERY_MS)
}

/** @param {Trouble} trouble @returns {boolean} whether asking again is of no use */
function explain({ kind, message }) {
  if (kind === 'key') {
    keys.ask(`${message} The status needs one with the scope 'admin'.`)
    return true
  }
  if (kind === 'scope') {
    notices.show({
      text: `${message} Make one: illuminator keys create --name status --scope admin`,
      action: { label: 'Use another key', act: () => keys.ask() },
    })
    return true
  }
  notices.wait(`${message} Trying again.`, null)
  return false
}

/** @param {Metrics} metrics */
function showFacts(metrics) {
  const bytes = metrics.sum('gpu_memory_bytes')
  const looked = metrics.sum('prefix_lookup_tokens_total')
  const found = metrics.sum('prefix_hit_tokens_total') ?? 0
  const started = metrics.sum('start_time_seconds')
  const shown = {
    State: metrics.values('state', 'state').join(', '),
    Model: metrics.values('adapter_info', 'model').join(', '),
    Adapter: metrics.values('adapter_info', 'adapter').join(', '),
    Up: started === null ? '' : duration(Date.now() / 1000 - started),
    'GPU memory': bytes === null ? '' : `${number(bytes / 1e6)} MB`,
    'Prefix cache': looked ? `${number((100 * found) / looked)} % of prompt tokens found` : '',
    'Under way': number(metrics.sum('answers_under_way') ?? 0),
    Requests: number(metrics.sum('http_requests_total') ?? 0),
    Version: metrics.values('build_info', 'version').join(', '),
  }
  facts.replaceChildren(
    ...Object.entries(shown).map(([name, value]) =>
      el('div', {}, el('dt', {}, name), el('dd', {}, value === '' ? '–' : value)),
    ),
  )
}

/** @param {number} seconds */
function duration(seconds) {
  const [days, hours, minutes] = [86400, 3600, 60].map((unit) => Math.floor(seconds / unit))
  if (days) return `${days} d ${(hours ?? 0) % 24} h`
  if (hours) return `${hours} h ${(minutes ?? 0) % 60} min`
  return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`
}

byId('plots', HTMLElement).append(...plots.map(({ root }) => root))
pause.addEventListener('click', () => {
  const isPaused = pause.ariaPressed !== 'true'
  pause.ariaPressed = String(isPaused)
  if (isPaused) clearTimeout(timer)
  else void look()
})
await look()
