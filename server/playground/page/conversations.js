/** The conversations, kept in this browser and nowhere else; each under a name of its own, so that tabs do not clash. */
import { names, read, remove, write } from './storage.js'

/**
 * @typedef {object} Message
 * @property {string} id
 * @property {'user' | 'assistant'} role
 * @property {string} content
 * @property {string} [end] why an answer ended: `stop`, `length`, `stopped` (by the reader), `lost`, `failed`
 * @property {import('./meter.js').Stats} [stats]
 */
/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {string} title
 * @property {string} system
 * @property {import('./settings.js').Sampling} sampling
 * @property {Message[]} messages
 * @property {number} updated
 */

const PREFIX = 'illuminator.conversation.'
const TITLE_LENGTH = 60

/** Tells of `change` when the list or the current one is another, of `full` when nothing more can be kept. */
export class Conversations extends EventTarget {
  /** @type {Map<string, Conversation>} */
  #all = new Map()
  /** @type {Conversation} */
  #current = fresh()
  #isFull = false

  constructor() {
    super()
    this.#readAll()
    const [latest] = this.list
    if (latest) this.#current = latest
    window.addEventListener('storage', ({ key, newValue }) => {
      if (key?.startsWith(PREFIX)) this.#changedElsewhere(key.slice(PREFIX.length), newValue)
    })
  }

  get current() {
    return this.#current
  }

  /** The latest first. */
  get list() {
    return [...this.#all.values()].sort((a, b) => b.updated - a.updated)
  }

  /** @param {string} id */
  select(id) {
    const chosen = this.#all.get(id)
    if (!chosen) return
    this.#current = chosen
    this.#tell()
  }

  /** Begins another, set up as the last one was. */
  create() {
    const { system, sampling } = this.#current
    this.#current = { ...fresh(), system, sampling }
    this.#tell()
  }

  /** Nothing is kept of one in which nothing was said, or that was removed. @param {Conversation} conversation */
  save(conversation) {
    if (conversation.messages.length === 0 || !this.has(conversation)) return
    const isNew = !this.#all.has(conversation.id)
    const [first] = conversation.messages
    const title = titleOf(first?.content ?? '')
    const isRenamed = title !== conversation.title
    conversation.title = title
    this.#all.set(conversation.id, conversation)
    const isKept = write('local', PREFIX + conversation.id, JSON.stringify(conversation))
    if (!isKept && !this.#isFull) this.dispatchEvent(new Event('full'))
    this.#isFull = !isKept
    if (isNew || isRenamed) this.#tell()
  }

  /** @param {string} id */
  remove(id) {
    this.#all.delete(id)
    remove('local', PREFIX + id)
    if (this.#current.id === id) this.#current = this.list[0] ?? fresh()
    this.#tell()
  }

  clear() {
    for (const id of this.#all.keys()) remove('local', PREFIX + id)
    this.#all.clear()
    this.#current = fresh()
    this.#tell()
  }

  /** Whether it is still kept. @param {Conversation} conversation */
  has({ id }) {
    return this.#current.id === id || this.#all.has(id)
  }

  /** By another tab; of the one that is open here, this page knows better. @param {string} id @param {string | null} text */
  #changedElsewhere(id, text) {
    if (id === this.#current.id) return
    const conversation = parse(text)
    if (conversation) this.#all.set(id, conversation)
    else this.#all.delete(id)
    this.#tell()
  }

  #readAll() {
    for (const name of names('local', PREFIX)) {
      const conversation = parse(read('local', name))
      if (conversation) this.#all.set(conversation.id, conversation)
    }
  }

  #tell() {
    this.dispatchEvent(new Event('change'))
  }
}

/** @returns {Conversation} */
function fresh() {
  return { id: newId(), title: '', system: '', sampling: {}, messages: [], updated: Date.now() }
}

/** @param {string} content */
export function newMessage(content) {
  return /** @type {Message} */ ({ id: newId(), role: 'user', content })
}

/** @returns {Message} */
export function newAnswer() {
  return { id: newId(), role: 'assistant', content: '' }
}

/** `crypto.randomUUID` is there only where the connection is secure. */
function newId() {
  const words = crypto.getRandomValues(new Uint32Array(4))
  return Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('')
}

/** @param {string} text */
function titleOf(text) {
  const line = text.trim().replace(/\s+/g, ' ')
  const letters = Array.from(line)
  return letters.length > TITLE_LENGTH ? `${letters.slice(0, TITLE_LENGTH).join('')}…` : line
}

/** What an older or another page may have left is not ours. @param {string | null} text */
function parse(text) {
  try {
    const { id, messages, title, system, sampling, updated } = JSON.parse(text ?? 'null') ?? {}
    if (typeof id !== 'string' || !Array.isArray(messages)) return null
    const said = messages.filter(
      (message) => typeof message?.content === 'string' && /^(user|assistant)$/.test(message.role),
    )
    return /** @type {Conversation} */ ({
      id,
      messages: said,
      title: String(title ?? ''),
      system: String(system ?? ''),
      sampling: sampling ?? {},
      updated: Number(updated) || 0,
    })
  } catch {
    return null
  }
}
