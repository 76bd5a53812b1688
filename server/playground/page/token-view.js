/**
 * An answer as its tokens, each tinted by how likely it was. One of them is in the order of the Tab key, arrows go on from
 * there; what else could have been said shows for the one that has the focus or the pointer.
 */
import { el } from './dom.js'
import { TokenDetails } from './token-details.js'
import { percent, probability, spoken, visible } from './token-text.js'

/** @typedef {import('./chat-stream.js').Token} Token */

/** Below each, another tint. */
const LIMITS = [0.9, 0.7, 0.4, 0.2, 0.05]

const details = new TokenDetails()

export class TokenView {
  root = el('div', {
    class: 'tokens',
    role: 'listbox',
    'aria-orientation': 'horizontal',
    'aria-label': 'Tokens of the answer',
  })
  /** @type {WeakMap<Element, Token>} */
  #tokens = new WeakMap()

  constructor() {
    this.root.addEventListener('keydown', (event) => this.#move(event))
    this.root.addEventListener('focusin', ({ target }) => this.#enter(target))
    this.root.addEventListener('focusout', () => details.hide())
    this.root.addEventListener('pointerover', ({ target }) => this.#show(target))
    this.root.addEventListener('pointerout', () => details.hideSoon())
  }

  /** @param {readonly Token[]} tokens */
  add(tokens) {
    for (const token of tokens) {
      const node = el(
        'span',
        {
          class: `token p${LIMITS.filter((limit) => probability(token) < limit).length}`,
          role: 'option',
          'aria-selected': 'false',
          tabindex: this.root.firstElementChild ? -1 : 0,
          'aria-label': `${spoken(token.token)}, ${percent(token)}`,
        },
        visible(token.token),
      )
      this.#tokens.set(node, token)
      this.root.append(node)
      if (token.token.includes('\n')) this.root.append(el('br'))
    }
  }

  /** @param {EventTarget | null} target */
  #enter(target) {
    if (!(target instanceof HTMLElement) || !this.#tokens.has(target)) return
    for (const other of this.root.querySelectorAll('[tabindex="0"]')) {
      other.setAttribute('tabindex', '-1')
      other.ariaSelected = 'false'
    }
    target.setAttribute('tabindex', '0')
    target.ariaSelected = 'true'
    this.#show(target)
  }

  /** @param {EventTarget | null} target */
  #show(target) {
    if (!(target instanceof HTMLElement)) return
    const token = this.#tokens.get(target)
    if (token) details.show(target, token)
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const all = /** @type {HTMLElement[]} */ ([...this.root.querySelectorAll('.token')])
    const at = all.indexOf(/** @type {HTMLElement} */ (event.target))
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    all[Math.min(Math.max(to, 0), all.length - 1)]?.focus()
  }
}

/** What the tints mean. */
export function tokenLegend() {
  const marks = [...LIMITS, 0].map((limit, at) =>
    el('span', { class: `token p${at}` }, limit === 0 ? 'less' : `≥ ${limit * 100} %`),
  )
  return el('p', { class: 'legend' }, 'How likely each token was: ', ...marks)
}
