/** The panel of the system prompt and the sampling controls. An empty control is not sent: the server's default holds. */
import { byId, el } from './dom.js'
import { FIELDS, formatStops, MOST_STOPS, parseStops } from './sampling-fields.js'

/** @typedef {Record<string, number | string[]>} Sampling names and values as the API takes them */

export class Settings extends EventTarget {
  #system = byId('system', HTMLTextAreaElement)
  #stop = byId('stop', HTMLTextAreaElement)
  #stopError = byId('stop-error', HTMLElement)
  /** @type {Map<string, Control>} */
  #controls = new Map()

  constructor() {
    super()
    const changed = () => this.dispatchEvent(new Event('change'))
    const list = byId('sampling', HTMLElement)
    for (const field of FIELDS) {
      const control = new Control(field, changed)
      this.#controls.set(field.name, control)
      list.append(control.root)
    }
    this.#system.addEventListener('input', changed)
    this.#stop.addEventListener('input', () => {
      this.#checkStops()
      changed()
    })
    byId('reset-sampling', HTMLButtonElement).addEventListener('click', () => {
      this.show(this.system, {})
      changed()
    })
  }

  get system() {
    return this.#system.value
  }

  /** Those that are set and make sense. @returns {Sampling} */
  get sampling() {
    /** @type {Sampling} */
    const sampling = {}
    for (const [name, control] of this.#controls) {
      if (control.value !== null) sampling[name] = control.value
    }
    const stops = parseStops(this.#stop.value)
    if (stops.length > 0) sampling.stop = stops
    return sampling
  }

  /** @param {string} system @param {Sampling} sampling */
  show(system, sampling) {
    this.#system.value = system
    for (const [name, control] of this.#controls) {
      const value = sampling[name]
      control.show(typeof value === 'number' ? value : null)
    }
    const stops = sampling.stop
    this.#stop.value = Array.isArray(stops) ? formatStops(stops) : ''
    this.#checkStops()
  }

  /** The first control that holds what cannot be sent, brought to the eye; null: all is well. */
  firstWrong() {
    const wrong = [...this.#controls.values()].find((control) => !control.isValid)
    return wrong?.input ?? (this.#checkStops() ? null : this.#stop)
  }

  /** What the server says of a control. @param {string | null} name @param {string} message */
  mark(name, message) {
    this.#controls.get(name ?? '')?.mark(message)
  }

  #checkStops() {
    const isFine = parseStops(this.#stop.value).length <= MOST_STOPS
    complain(this.#stop, this.#stopError, isFine ? '' : `At most ${MOST_STOPS} lines.`)
    return isFine
  }
}

/** A number with its label, its range and, for some, a slider. */
class Control {
  /** @type {HTMLInputElement | null} */
  #slider = null

  /**
   * @param {import('./sampling-fields.js').Field} field
   * @param {() => void} changed
   */
  constructor({ name, label, hint, min, max, whole = false, step }, changed) {
    const id = `sampling-${name}`
    this.label = label
    this.input = el('input', {
      id,
      name,
      type: 'number',
      min,
      max,
      step: whole ? 1 : 'any',
      inputmode: min < 0 ? 'text' : whole ? 'numeric' : 'decimal',
      placeholder: 'default',
      autocomplete: 'off',
      'aria-describedby': `${id}-hint ${id}-error`,
    })
    this.error = el('p', { id: `${id}-error`, class: 'error' })
    this.input.addEventListener('input', () => {
      this.check()
      changed()
    })
    if (step !== undefined) {
      this.#slider = el('input', {
        type: 'range',
        min,
        max,
        step,
        tabindex: -1,
        'aria-hidden': 'true',
      })
      this.#slider.addEventListener('input', () => {
        this.input.value = this.#slider?.value ?? ''
        this.check()
        changed()
      })
    }
    this.root = el(
      'div',
      { class: 'field' },
      el('label', { for: id }, label),
      this.input,
      this.#slider,
      el('p', { id: `${id}-hint`, class: 'hint' }, hint),
      this.error,
    )
  }

  get isValid() {
    return this.input.validity.valid
  }

  /** Null: not set, or nothing that could be sent. */
  get value() {
    return this.input.value === '' || !this.isValid ? null : this.input.valueAsNumber
  }

  /** @param {number | null} value */
  show(value) {
    this.input.value = value === null ? '' : String(value)
    this.check()
  }

  check() {
    const { min, max, step } = this.input
    const kind = step === '1' ? 'A whole number' : 'A number'
    const range = Number(max) >= 0x7fffffff ? `from ${min}` : `from ${min} to ${max}`
    this.mark(this.isValid ? '' : `${kind} ${range}.`)
    if (this.#slider) {
      // Where nothing is set, the slider rests in the middle, and says so.
      this.#slider.value = this.input.value || String((Number(min) + Number(max)) / 2)
      this.#slider.classList.toggle('unset', this.input.value === '')
    }
  }

  /** @param {string} message */
  mark(message) {
    complain(this.input, this.error, message)
  }
}

/**
 * @param {HTMLElement} control
 * @param {HTMLElement} place
 * @param {string} message empty: there is nothing to say
 */
function complain(control, place, message) {
  place.textContent = message
  if (message === '') control.removeAttribute('aria-invalid')
  else control.setAttribute('aria-invalid', 'true')
}
