/** One message above the composer: what is wrong or being waited for, and what can be done about it. */
import { button, byId, el } from './dom.js'

/**
 * @typedef {object} Notice
 * @property {string} text
 * @property {boolean} [calm] it is no error
 * @property {number | null} [seconds] to wait before it can be done
 * @property {{ label: string, act: () => void } | null} [action]
 */

export class Notices {
  #root = byId('notice', HTMLElement)
  #text = byId('notice-text', HTMLElement)
  #extra = byId('notice-extra', HTMLElement)
  #isWaiting = false
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer

  /** @param {Notice} notice */
  show({ text, calm = false, seconds = null, action = null }) {
    this.clear()
    this.#root.hidden = false
    this.#root.classList.toggle('calm', calm)
    this.#text.textContent = text
    if (action) this.#offer(action, seconds)
    this.#extra.append(button('Dismiss', () => this.clear(), { class: 'quiet' }))
  }

  /** What was waited for is there, or no longer wanted. */
  endWait() {
    if (this.#isWaiting) this.clear()
  }

  /** @param {string} text @param {{ done: number, total: number, label: string } | null} progress */
  wait(text, progress) {
    if (this.#text.textContent !== text) {
      this.clear()
      this.#root.hidden = false
      this.#root.classList.add('calm')
      this.#text.textContent = text
      this.#isWaiting = true
    }
    if (!progress) return
    const { done, total, label } = progress
    const bar = el('progress', {
      'aria-label': 'Progress',
      max: 1,
      value: total > 0 ? done / total : null,
    })
    this.#extra.replaceChildren(bar, el('span', {}, label))
  }

  clear() {
    this.#isWaiting = false
    clearInterval(this.#timer)
    if (this.#root.contains(document.activeElement)) document.getElementById('prompt')?.focus()
    this.#root.hidden = true
    this.#text.textContent = ''
    this.#extra.replaceChildren()
  }

  /** Counts down to when it makes sense. @param {{ label: string, act: () => void }} action @param {number | null} seconds */
  #offer({ label, act }, seconds) {
    const ready = performance.now() + (seconds ?? 0) * 1000
    const offer = button(label, () => {
      this.clear()
      act()
    })
    const tick = () => {
      const left = Math.ceil((ready - performance.now()) / 1000)
      offer.disabled = left > 0
      offer.textContent = left > 0 ? `${label} in ${left} s` : label
      if (left <= 0) clearInterval(this.#timer)
    }
    this.#timer = setInterval(tick, 250)
    tick()
    this.#extra.append(offer)
  }
}
