/** Prometheus' text format, as `/metrics` writes it. */

/** @typedef {{ name: string, labels: Record<string, string>, value: number }} Sample */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g
const ESCAPED = /** @type {Record<string, string>} */ ({ n: '\n' })

export class Metrics {
  /** @type {Map<string, Sample[]>} */
  #samples = new Map()

  /** @param {string} text */
  constructor(text) {
    for (const line of text.split('\n')) {
      const sample = parse(line)
      if (!sample) continue
      const known = this.#samples.get(sample.name)
      if (known) known.push(sample)
      else this.#samples.set(sample.name, [sample])
    }
  }

  /** Without what all our names begin with. @param {string} name */
  all(name) {
    return this.#samples.get(`illuminator_${name}`) ?? []
  }

  /** Over all other labels; null: there is none. @param {string} name @param {Record<string, string>} [labels] */
  sum(name, labels = {}) {
    const wanted = Object.entries(labels)
    const found = this.all(name).filter((sample) =>
      wanted.every(([label, value]) => sample.labels[label] === value),
    )
    return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0)
  }

  /** What stands in a label, of all samples that are not 0. @param {string} name @param {string} label */
  values(name, label) {
    const found = this.all(name).filter(({ value }) => value !== 0)
    return [...new Set(found.map(({ labels }) => labels[label] ?? ''))]
  }
}

/** @param {string} line @returns {Sample | null} */
function parse(line) {
  const [, name, inside = '', value] = LINE.exec(line) ?? []
  if (name === undefined) return null
  /** @type {Record<string, string>} */
  const labels = {}
  for (const [, label = '', text = ''] of inside.matchAll(LABEL)) {
    labels[label] = text.replace(/\\(.)/g, (_, letter) => ESCAPED[letter] ?? letter)
  }
  return { name, labels, value: Number(value) }
}
