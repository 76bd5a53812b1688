/** A message as it stands on the page: text or tokens, how fast it came, and what can be done with it. */
import { copyButton } from './clipboard.js'
import { button, el } from './dom.js'
import { showMarkdown } from './markdown.js'
import { describeStats } from './meter.js'
import { TokenView, tokenLegend } from './token-view.js'

/** @typedef {import('./conversations.js').Message} Message */
/** @typedef {import('./chat-stream.js').Token} Token */

/** What an answer's end means where it did not end by itself. @type {Readonly<Record<string, string>>} */
const ENDS = {
  length: 'cut at the limit',
  stopped: 'stopped',
  lost: 'connection lost',
  failed: 'failed',
}

/** About two frames. */
const LEAST_PAUSE_MS = 30

/**
 * @typedef {object} Actions
 * @property {(message: Message, text: string) => void} edit
 * @property {() => void} regenerate
 */

export class MessageView {
  #body = el('div', { class: 'body' })
  #stats = el('p', { class: 'stats' })
  #buttons = el('div', { class: 'actions' })
  /** @type {{ view: TokenView, root: HTMLElement } | null} */
  #tokens = null
  #toggle = button('Tokens', () => this.showTokens(this.#toggle.ariaPressed !== 'true'), {
    class: 'quiet',
    'aria-pressed': 'false',
    hidden: true,
  })
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer
  #pause = 0

  /**
   * @param {Message} message
   * @param {Actions} actions
   */
  constructor(message, actions) {
    this.message = message
    const isUser = message.role === 'user'
    const title = el('h2', { id: `who-${message.id}` }, isUser ? 'You' : 'Answer')
    const foot = el('div', { class: 'foot' }, this.#stats, this.#buttons)
    const article = el('article', { 'aria-labelledby': title.id }, title, this.#body, foot)
    this.root = el('li', { class: `message ${message.role}` }, article)
    const edit = button('Edit', () => this.#edit(actions), { class: 'quiet edit' })
    // A question that stayed without an answer can be asked again, too.
    const again = button(isUser ? 'Ask again' : 'Regenerate', () => actions.regenerate(), {
      class: 'quiet regenerate',
    })
    const copy = copyButton(() => message.content)
    this.#buttons.append(copy, ...(isUser ? [edit, again] : [again, this.#toggle]))
    this.finish()
  }

  /** More of it came. @param {readonly Token[]} tokens */
  grow(tokens) {
    this.root.classList.add('live')
    if (tokens.length > 0) this.addTokens(tokens)
    this.#timer ??= setTimeout(() => this.#draw(), this.#pause)
  }

  /** A long answer takes long to draw: most of the time is left to everything else. */
  #draw() {
    this.#timer = undefined
    const began = performance.now()
    showMarkdown(this.#body, this.message.content)
    this.#pause = Math.max(LEAST_PAUSE_MS, 4 * (performance.now() - began))
  }

  /** @param {readonly Token[]} tokens */
  addTokens(tokens) {
    if (!this.#tokens) {
      const view = new TokenView()
      const root = el('div', { class: 'token-view', hidden: true }, view.root, tokenLegend())
      this.#body.after(root)
      this.#tokens = { view, root }
      this.#toggle.hidden = false
    }
    this.#tokens.view.add(tokens)
  }

  /** @param {boolean} wanted */
  showTokens(wanted) {
    if (!this.#tokens) return
    this.#tokens.root.hidden = !wanted
    this.#body.hidden = wanted
    this.#toggle.ariaPressed = String(wanted)
  }

  /** @param {import('./meter.js').Stats | undefined} stats */
  showStats(stats) {
    const { end = '' } = this.message
    const parts = [...(stats ? describeStats(stats) : []), ENDS[end] ?? '']
    const shown = parts.filter((part) => part !== '').map((part) => el('span', {}, part))
    this.#stats.replaceChildren(...shown)
  }

  /** It is complete, or all there will be. */
  finish() {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.root.classList.remove('live')
    const { role, content, stats } = this.message
    if (role === 'user') this.#body.replaceChildren(el('p', { class: 'plain' }, content))
    else showMarkdown(this.#body, content, true)
    this.showStats(stats)
  }

  /** @param {Actions} actions */
  #edit(actions) {
    const id = `edit-${this.message.id}`
    const area = el('textarea', { id, rows: 3 })
    area.value = this.message.content
    const close = () => {
      form.remove()
      this.#body.hidden = false
      this.#buttons.hidden = false
      this.#buttons.querySelector('button')?.focus()
    }
    const submit = () => {
      if (area.value.trim() !== '') actions.edit(this.message, area.value)
    }
    const form = el(
      'div',
      { class: 'editing' },
      el(
        'label',
        { for: id, class: 'visually-hidden' },
        'Your message; sending it drops what follows',
      ),
      area,
      el(
        'div',
        { class: 'row' },
        button('Cancel', close),
        button('Send', submit, { class: 'primary' }),
      ),
    )
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') close()
      else if (event.target === area && isSend(event)) submit()
      else return
      event.preventDefault()
      event.stopPropagation()
    })
    this.#body.hidden = true
    this.#buttons.hidden = true
    this.#body.after(form)
    area.focus()
  }
}

/** Enter sends, with Shift it breaks the line; on a screen keyboard it always does. @param {KeyboardEvent} event */
export function isSend({ key, shiftKey, isComposing }) {
  return key === 'Enter' && !shiftKey && !isComposing && !matchMedia('(pointer: coarse)').matches
}
