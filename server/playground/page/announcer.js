/** Reads an answer out to who cannot see it: whole sentences, a few seconds apart, never token by token. */
import { byId, el } from './dom.js'

const LEAST_MS = 3000

/** Up to the last end of a sentence or line. */
const SENTENCES = /^[\s\S]*(?:[.!?…:]\s|\n)/

export class Announcer {
  #region = byId('announcements', HTMLElement)
  #text = ''
  #last = 0

  /** @param {string} text */
  say(text) {
    if (text.trim() === '') return
    this.#region.append(el('p', {}, text))
    // What was read out is of no use to who comes across it later.
    while (this.#region.children.length > 20) this.#region.firstElementChild?.remove()
  }

  begin() {
    this.#region.replaceChildren()
    this.#text = ''
    this.#last = performance.now()
  }

  /** More of the answer. @param {string} text */
  add(text) {
    this.#text += text
    if (performance.now() - this.#last < LEAST_MS) return
    const [ready = ''] = SENTENCES.exec(this.#text) ?? []
    if (ready === '') return
    this.#last = performance.now()
    this.#text = this.#text.slice(ready.length)
    this.say(ready)
  }

  /** @param {string} how the answer ended */
  end(how) {
    this.say(this.#text)
    this.#text = ''
    this.say(how)
  }
}
