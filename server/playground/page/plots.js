/** Plots over time, with the latest values, or those under the pointer, written beside them. */
import { el, number } from './dom.js'

/** @typedef {import('./recorder.js').Recorder} Recorder */
/** @typedef {{ label: string, color: string, dash?: number[], fill?: boolean, of: (recorder: Recorder) => (number | null)[] }} Line */
/** @typedef {{ title: string, hint: string, unit: string, digits?: number, most?: number, lines: Line[] }} Sheet */

/** @type {typeof import('uplot')} */
const UPlot = /** @type {any} */ (globalThis).uPlot

const HEIGHT = 190
const CLOCK = new Intl.DateTimeFormat([], { timeStyle: 'medium' })
const DARK = matchMedia('(prefers-color-scheme: dark)')

/** @param {number} seconds */
const clock = (seconds) => CLOCK.format(seconds * 1000)

export class Plot {
  #place = el('div', { class: 'plot', role: 'img' })
  #values = el('dl', { class: 'values' })
  /** @type {import('uplot') | null} */
  #plot = null
  /** @type {Recorder | null} */
  #recorder = null
  /** Of the point under the pointer. @type {number | null} */
  #at = null

  /** @param {Sheet} sheet */
  constructor(sheet) {
    this.sheet = sheet
    const caption = el(
      'figcaption',
      {},
      el('h2', {}, sheet.title),
      el('p', { class: 'hint' }, sheet.hint),
    )
    this.root = el('figure', {}, caption, this.#values, this.#place)
    DARK.addEventListener('change', () => this.#draw())
    new ResizeObserver(() => {
      if (this.#plot) this.#plot.setSize({ width: this.#place.clientWidth, height: HEIGHT })
      else this.#draw()
    }).observe(this.#place)
  }

  /** @param {Recorder} recorder */
  show(recorder) {
    this.#recorder = recorder
    if (this.#plot) this.#plot.setData(this.#data())
    this.#tell()
  }

  /** @returns {import('uplot').AlignedData} */
  #data() {
    const recorder = this.#recorder
    if (!recorder) return [[], ...this.sheet.lines.map(() => [])]
    const times = recorder.points.map(({ time }) => time)
    return [times, ...this.sheet.lines.map(({ of }) => of(recorder))]
  }

  #draw() {
    this.#plot?.destroy()
    this.#plot = new UPlot(this.#options(), this.#data(), this.#place)
  }

  /** @returns {import('uplot').Options} */
  #options() {
    const color = (/** @type {string} */ name) => getComputedStyle(this.root).getPropertyValue(name)
    const font = `12px ${getComputedStyle(this.root).fontFamily}`
    const axis = {
      stroke: color('--soft'),
      font,
      grid: { stroke: color('--line'), width: 1 },
      ticks: { show: false },
    }
    const { lines, most, digits = 0 } = this.sheet
    return {
      width: this.#place.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, points: { size: 7 } },
      scales: { y: { range: (_, __, high) => [0, most ?? Math.max(1, (high ?? 0) * 1.1)] } },
      axes: [
        { ...axis, space: 80, values: (_, splits) => splits.map(clock) },
        {
          ...axis,
          size: 48,
          values: (_, splits) =>
            splits.map((split) => number(split, split % 1 ? Math.max(1, digits) : 0)),
        },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          stroke: color(line.color),
          width: 2,
          ...(line.dash ? { dash: line.dash } : {}),
          ...(line.fill
            ? { fill: `color-mix(in srgb, ${color(line.color)} 18%, transparent)` }
            : {}),
          points: { show: false },
        })),
      ],
      hooks: {
        setCursor: [
          ({ cursor }) => {
            this.#at = cursor.idx ?? null
            this.#tell()
          },
        ],
      },
    }
  }

  /** In words, which is all that some readers get. */
  #tell() {
    const { lines, unit, digits = 0, title } = this.sheet
    const recorder = this.#recorder
    if (!recorder) return
    const told = lines.map((line) => {
      const values = line.of(recorder)
      const value = (this.#at === null ? values.at(-1) : values[this.#at]) ?? null
      return { ...line, text: value === null ? '–' : `${number(value, digits)}${unit}` }
    })
    this.#values.replaceChildren(
      ...told.map(({ label, color, text, dash }) => {
        const key = el('span', { class: dash ? 'key dashed' : 'key', 'aria-hidden': 'true' })
        key.style.setProperty('--key', `var(${color})`)
        return el('div', {}, el('dt', {}, key, label), el('dd', {}, text))
      }),
    )
    const now = told.map(({ label, text }) => `${label} ${text}`).join(', ')
    this.#place.setAttribute('aria-label', `${title} over the last minutes; now ${now}`)
  }
}
