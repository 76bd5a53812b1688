/** What could have stood in a token's place, and how likely: a small table beside the token. */
import { byId, el } from './dom.js'
import { percent, probability, visible } from './token-text.js'

/** @typedef {import('./chat-stream.js').Token} Token */

/** Time to move the pointer onto the table. */
const GRACE_MS = 150

export class TokenDetails {
  #root = el('div', { id: 'token-details', class: 'details', role: 'tooltip', hidden: true })
  /** @type {HTMLElement | null} */
  #anchor = null
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer

  constructor() {
    byId('scroll', HTMLElement).append(this.#root)
    this.#root.addEventListener('pointerenter', () => clearTimeout(this.#timer))
    this.#root.addEventListener('pointerleave', () => this.hideSoon())
    // Before all others: while it shows, the key means this.
    const onKey = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === 'Escape' && this.hide()) event.preventDefault()
    }
    document.addEventListener('keydown', onKey, { capture: true })
    document.addEventListener('scroll', () => this.#place(), { capture: true, passive: true })
  }

  /** @param {HTMLElement} anchor @param {Token} token */
  show(anchor, token) {
    this.hide()
    this.#anchor = anchor
    anchor.setAttribute('aria-describedby', this.#root.id)
    this.#root.replaceChildren(table(token))
    this.#root.hidden = false
    this.#place()
  }

  /** Below the token's end, or above where there is no room. */
  #place() {
    const box = [...(this.#anchor?.getClientRects() ?? [])].at(-1)
    if (!box) return
    const { style, offsetWidth, offsetHeight } = this.#root
    const { left, top, bottom } = box
    const isBelow = bottom + offsetHeight + 8 < window.innerHeight
    style.left = `${Math.max(8, Math.min(left, window.innerWidth - offsetWidth - 8))}px`
    style.top = `${Math.max(8, isBelow ? bottom + 4 : top - offsetHeight - 4)}px`
  }

  hideSoon() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.hide(), GRACE_MS)
  }

  /** @returns {boolean} whether there was anything to hide */
  hide() {
    clearTimeout(this.#timer)
    const was = this.#anchor !== null
    this.#anchor?.removeAttribute('aria-describedby')
    this.#anchor = null
    this.#root.hidden = true
    return was
  }
}

/** @param {Token} chosen */
function table(chosen) {
  const others = chosen.top_logprobs
  const isAmong = others.some(({ token, logprob }) => isSame(chosen, token, logprob))
  const rows = isAmong ? others : [...others, chosen]
  return el(
    'table',
    {},
    el('caption', {}, `“${visible(chosen.token)}” was ${percent(chosen)} likely`),
    el('tbody', {}, ...rows.map((row) => line(row, isSame(chosen, row.token, row.logprob)))),
  )
}

/** @param {Token} chosen @param {string} token @param {number} logprob */
const isSame = (chosen, token, logprob) => chosen.token === token && chosen.logprob === logprob

/** @param {import('./chat-stream.js').Alternative} alternative @param {boolean} isChosen */
function line(alternative, isChosen) {
  const bar = el('span', { class: 'bar' })
  bar.style.inlineSize = `${100 * probability(alternative)}%`
  return el(
    'tr',
    { class: isChosen ? 'chosen' : null },
    el('th', { scope: 'row' }, visible(alternative.token)),
    el('td', { class: 'share', 'aria-hidden': 'true' }, bar),
    el('td', {}, percent(alternative)),
  )
}
