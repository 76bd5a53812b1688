/** The messages of one conversation, and where the reader is in them: at the end, which is followed, or further up. */
import { button, byId, el } from './dom.js'
import { MessageView } from './message-view.js'

/** @typedef {import('./conversations.js').Message} Message */

/** Nearer to the end than this counts as there. */
const NEAR = 48

const IDEAS = [
  'Why is the sky blue?',
  'Write a haiku about a lamp in the rain.',
  'Explain a hash table to a ten-year-old.',
]

export class Thread {
  #list = byId('messages', HTMLElement)
  #empty = byId('empty', HTMLElement)
  #scroll = byId('scroll', HTMLElement)
  #latest = byId('latest', HTMLButtonElement)
  /** @type {Map<string, MessageView>} */
  #views = new Map()
  #follows = true
  /** Where the reader was at the last look. */
  #top = 0

  /**
   * @param {import('./message-view.js').Actions} actions
   * @param {(text: string) => void} ask
   */
  constructor(actions, ask) {
    this.actions = actions
    const ideas = IDEAS.map((idea) =>
      el(
        'li',
        {},
        button(idea, () => ask(idea), { class: 'idea' }),
      ),
    )
    byId('ideas', HTMLElement).append(...ideas)
    this.#scroll.addEventListener('scroll', () => this.#look(), { passive: true })
    this.#latest.addEventListener('click', () => this.toEnd())
    new ResizeObserver(() => this.#keep()).observe(this.#list)
  }

  /** @param {readonly Message[]} messages */
  show(messages) {
    this.#views.clear()
    this.#list.replaceChildren()
    for (const message of messages) this.add(message)
    this.#empty.hidden = messages.length > 0
    this.toEnd()
  }

  /** @param {Message} message */
  add(message) {
    const view = new MessageView(message, this.actions)
    this.#views.set(message.id, view)
    this.#list.append(view.root)
    this.#empty.hidden = true
    return view
  }

  /** Undefined: it is of another conversation. @param {Message} message */
  viewOf({ id }) {
    return this.#views.get(id)
  }

  toEnd() {
    this.#follows = true
    this.#keep()
  }

  #keep() {
    if (this.#follows) this.#scroll.scrollTop = this.#scroll.scrollHeight
    this.#look()
  }

  /** Only going up is leaving the end: an answer that grows moves the end away by itself. */
  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroll
    const isNear = scrollHeight - scrollTop - clientHeight < NEAR
    if (isNear) this.#follows = true
    else if (scrollTop < this.#top) this.#follows = false
    this.#top = scrollTop
    this.#latest.hidden = isNear || this.#follows
  }
}
