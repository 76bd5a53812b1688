/** A chart as SVG: two axes, linear or logarithmic, with lines and dots. Colours are the page's, so it suits light and dark. */

export interface Point {
  readonly x: number
  readonly y: number
  /** What the mouse is told. */
  readonly title?: string
  /** Least and most, drawn as a whisker. */
  readonly low?: number
  readonly high?: number
}

export interface Series {
  readonly name: string
  readonly points: readonly Point[]
  /** `roof` is a line in the text's colour. */
  readonly as: 'dots' | 'line' | 'roof'
}

export interface Chart {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
}

export interface Axis {
  readonly label: string
  readonly log?: boolean
  /** Ticks with a text of their own. */
  readonly ticks?: readonly { readonly at: number; readonly text: string }[]
}

const [WIDTH, HEIGHT] = [760, 380]
const EDGE = { left: 64, right: 16, top: 12, bottom: 52 }
export const COLOURS = 8

export function svg({ title, x, y, series }: Chart): string {
  const all = series.flatMap(({ points }) => points)
  const ys = all.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y])
  const xs = all.map((point) => point.x)
  const scaleX = scaleOf(x, xs, EDGE.left, WIDTH - EDGE.right)
  const scaleY = scaleOf(y, ys, HEIGHT - EDGE.bottom, EDGE.top)
  const body = [
    ...scaleX.ticks.map(
      ({ at, text }) =>
        `<line class="grid" x1="${px(scaleX.place(at))}" x2="${px(scaleX.place(at))}" y1="${EDGE.top}" y2="${HEIGHT - EDGE.bottom}"/>` +
        `<text x="${px(scaleX.place(at))}" y="${HEIGHT - EDGE.bottom + 18}" text-anchor="middle">${escaped(text)}</text>`,
    ),
    ...scaleY.ticks.map(
      ({ at, text }) =>
        `<line class="grid" y1="${px(scaleY.place(at))}" y2="${px(scaleY.place(at))}" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}"/>` +
        `<text x="${EDGE.left - 8}" y="${px(scaleY.place(at) + 4)}" text-anchor="end">${escaped(text)}</text>`,
    ),
    `<text x="${(EDGE.left + WIDTH) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escaped(x.label)}</text>`,
    `<text transform="translate(14 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${escaped(y.label)}</text>`,
    ...series.map((one, i) => marks(one, i, scaleX.place, scaleY.place)),
  ]
  return (
    `<figure><figcaption>${escaped(title)}</figcaption>` +
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">${body.join('')}</svg>` +
    `<p class="legend">${series.map((one, i) => `<span class="${classOf(one, i)}">${escaped(one.name)}</span>`).join(' ')}</p></figure>`
  )
}

type Place = (value: number) => number

const classOf = ({ as }: Series, i: number): string => (as === 'roof' ? 'roof' : `c${i % COLOURS}`)

function marks(series: Series, i: number, x: Place, y: Place): string {
  const { points, as } = series
  const line = points.map((point) => `${px(x(point.x))},${px(y(point.y))}`).join(' ')
  const drawn = as === 'dots' ? '' : `<polyline points="${line}"/>`
  const dots = as === 'roof' ? '' : points.map((point) => dot(point, x, y)).join('')
  return `<g class="${classOf(series, i)}">${drawn}${dots}</g>`
}

function dot({ x, y, title, low, high }: Point, placeX: Place, placeY: Place): string {
  const at = px(placeX(x))
  const whisker =
    low === undefined || high === undefined
      ? ''
      : `<line x1="${at}" x2="${at}" y1="${px(placeY(low))}" y2="${px(placeY(high))}"/>`
  return `${whisker}<circle cx="${at}" cy="${px(placeY(y))}" r="4">${title ? `<title>${escaped(title)}</title>` : ''}</circle>`
}

const px = (value: number): string => value.toFixed(1)

interface Scale {
  place: Place
  ticks: readonly { at: number; text: string }[]
}

/** From values to pixels. Linear axes of amounts begin at 0. */
function scaleOf(axis: Axis, values: readonly number[], from: number, to: number): Scale {
  const most = Math.max(...values)
  if (axis.log) {
    const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(most))]
    const span = Math.max(1, high - low)
    const ticks = Array.from({ length: span + 1 }, (_, i) => {
      const at = 10 ** (low + i)
      return { at, text: String(Number(at.toPrecision(1))) }
    })
    return { place: (value) => from + ((Math.log10(value) - low) / span) * (to - from), ticks }
  }
  const step = niceStep(most / 5)
  const end = Math.max(step, Math.ceil(most / step) * step)
  const even = Array.from({ length: Math.round(end / step) + 1 }, (_, i) => {
    const at = Number((i * step).toPrecision(6))
    return { at, text: String(at) }
  })
  return { place: (value) => from + (value / end) * (to - from), ticks: axis.ticks ?? even }
}

/** The next of 1, 2, 5 times a power of ten. */
function niceStep(value: number): number {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 5].find((one) => one * power >= value) ?? 10) * power
}

export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)
