/** One answer at a time: asked for, followed as it comes, stopped, asked for again. */
import { streamChat } from './chat-stream.js'
import { newAnswer, newMessage } from './conversations.js'
import { Meter } from './meter.js'
import { Trouble } from './trouble.js'

/** @typedef {import('./conversations.js').Conversation} Conversation */
/** @typedef {import('./conversations.js').Message} Message */
/** @typedef {import('./chat-stream.js').Token} Token */

/** Alternatives that are told of each token. */
const ALTERNATIVES = 8
const SAVE_EVERY_MS = 2000
const STATS_EVERY_MS = 250

/**
 * @typedef {object} Surroundings
 * @property {import('./conversations.js').Conversations} conversations
 * @property {import('./thread.js').Thread} thread
 * @property {import('./announcer.js').Announcer} announcer
 * @property {() => { model: string, wantsTokens: boolean }} choices
 * @property {(trouble: unknown) => void} onTrouble the answer did not come, or not all of it
 */

/** Tells of `busy` when it begins or ends to be, and of `text` when some comes. */
export class Chat extends EventTarget {
  /** @type {AbortController | null} */
  #running = null
  /** What the running answer is part of. @type {Conversation | null} */
  #answered = null
  /** Kept while the page is open: they are large. @type {Map<string, Token[]>} */
  #tokens = new Map()

  /** @param {Surroundings} surroundings */
  constructor(surroundings) {
    super()
    this.around = surroundings
    const { conversations } = surroundings
    conversations.addEventListener('change', () => {
      if (this.#answered && !conversations.has(this.#answered)) this.stop()
    })
  }

  get isBusy() {
    return this.#running !== null
  }

  stop() {
    this.#running?.abort()
  }

  /** @param {string} text */
  async send(text) {
    if (this.isBusy) return
    const { conversations, thread } = this.around
    const message = newMessage(text)
    conversations.current.messages.push(message)
    thread.add(message)
    thread.toEnd()
    return this.answer()
  }

  /** Says something else instead; what followed is dropped. @param {Message} message @param {string} text */
  edit(message, text) {
    const { messages } = this.around.conversations.current
    const at = messages.findIndex(({ id }) => id === message.id)
    if (this.isBusy || at < 0) return
    messages.splice(at)
    this.show()
    return this.send(text)
  }

  /** Another answer in place of the last. */
  regenerate() {
    const { messages } = this.around.conversations.current
    if (this.isBusy || messages.length === 0) return
    if (messages.at(-1)?.role === 'assistant') messages.pop()
    this.show()
    return this.answer()
  }

  /** Shows the current conversation, and of its tokens what is still known. */
  show() {
    const { conversations, thread } = this.around
    thread.show(conversations.current.messages)
    for (const message of conversations.current.messages) {
      const tokens = this.#tokens.get(message.id)
      if (tokens) thread.viewOf(message)?.addTokens(tokens)
    }
  }

  /** Asks for an answer to the current conversation as it stands. */
  async answer() {
    if (this.isBusy) return
    const { conversations, thread, announcer, choices, onTrouble } = this.around
    const conversation = conversations.current
    const { model, wantsTokens } = choices()
    const body = requestOf(conversation, model, wantsTokens)
    conversation.updated = Date.now()
    conversations.save(conversation)
    const message = newAnswer()
    conversation.messages.push(message)
    const view = thread.add(message)
    view.grow([])
    const running = new AbortController()
    this.#answered = conversation
    this.#setRunning(running)
    announcer.begin()
    /** @type {unknown} */
    let trouble = null
    try {
      await this.#follow(conversation, message, body, running.signal)
    } catch (error) {
      message.end = running.signal.aborted ? 'stopped' : endOf(error)
      if (!running.signal.aborted) trouble = error
    }
    this.#end(conversation, message)
    if (trouble !== null) onTrouble(trouble)
  }

  /**
   * @param {Conversation} conversation
   * @param {Message} message
   * @param {object} body
   * @param {AbortSignal} signal
   */
  async #follow(conversation, message, body, signal) {
    const { conversations, thread, announcer } = this.around
    const meter = new Meter()
    let saved = performance.now()
    let told = 0
    let hasTokens = false
    try {
      for await (const piece of streamChat(body, signal)) {
        meter.add(piece)
        message.content += piece.text
        if (piece.finish) message.end = piece.finish
        if (piece.text !== '') this.dispatchEvent(new Event('text'))
        announcer.add(piece.text)
        if (piece.tokens.length > 0) this.#keep(message, piece.tokens)
        // Looked up each time: the reader may have turned to another conversation and back.
        const view = thread.viewOf(message)
        view?.grow(piece.tokens)
        if (piece.tokens.length > 0 && !hasTokens) {
          hasTokens = true
          view?.showTokens(true)
        }
        const now = performance.now()
        if (now - told > STATS_EVERY_MS) {
          told = now
          view?.showStats(meter.stats)
        }
        if (now - saved > SAVE_EVERY_MS) {
          saved = now
          conversations.save(conversation)
        }
      }
    } finally {
      message.stats = meter.stats
    }
  }

  /** @param {Message} message @param {Token[]} tokens */
  #keep({ id }, tokens) {
    const kept = this.#tokens.get(id)
    if (kept) kept.push(...tokens)
    else this.#tokens.set(id, tokens)
  }

  /** @param {Conversation} conversation @param {Message} message */
  #end(conversation, message) {
    const { conversations, thread, announcer } = this.around
    const { content, end } = message
    const isNothing = content === '' && end !== 'stop' && end !== 'length'
    if (isNothing) {
      conversation.messages.splice(conversation.messages.indexOf(message), 1)
      if (conversation.id === conversations.current.id) this.show()
    } else {
      thread.viewOf(message)?.finish()
    }
    conversations.save(conversation)
    announcer.end(end === 'stopped' ? 'The answer was stopped.' : 'End of the answer.')
    this.#answered = null
    this.#setRunning(null)
  }

  /** @param {AbortController | null} running */
  #setRunning(running) {
    this.#running = running
    this.dispatchEvent(new Event('busy'))
  }
}

/** @param {unknown} error */
function endOf(error) {
  return error instanceof Trouble && error.kind !== 'lost' ? 'failed' : 'lost'
}

/**
 * The body that asks for the next answer.
 * @param {Conversation} conversation
 * @param {string} model
 * @param {boolean} wantsTokens
 */
export function requestOf({ system, sampling, messages }, model, wantsTokens) {
  const said = messages.map(({ role, content }) => ({ role, content }))
  return {
    ...(model === '' ? {} : { model }),
    messages: system.trim() === '' ? said : [{ role: 'system', content: system }, ...said],
    ...sampling,
    ...(wantsTokens ? { logprobs: true, top_logprobs: ALTERNATIVES } : {}),
  }
}
