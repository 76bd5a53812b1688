/**
 * One WebSocket: who is on it, what it asked for, and when it ends. Messages are taken one after the other; answers run
 * side by side, and all of them end with the socket.
 */
import type { WebSocket } from 'ws'
import { ANYONE, type Caller } from '../auth/caller.ts'
import { missingScope } from '../auth/refusals.ts'
import { ApiError } from '../contract/errors.ts'
import { parseJson, validate } from '../contract/parse.ts'
import { CLOSE, envelope, MESSAGES, type MessageId, type SocketFrame } from '../contract/ws.ts'
import { requestId } from '../request-id.ts'
import type { Deps } from '../routes/env.ts'
import { type Ask, answer, errorFrame } from './answer.ts'
import { Outbox } from './outbox.ts'
import { UnderWay } from './under-way.ts'

/** Who holds a token; with none, who anybody is. Rejects with the ApiError that says why not. */
export type Authenticate = (token: string | null) => Promise<Caller>

/** On a server without keys. */
export const letAnyoneIn: Authenticate = () => Promise.resolve(ANYONE)

export interface SocketLimits {
  /** Milliseconds within which a client says who it is, where keys are needed. Default 10 s. */
  authMs: number
  /** Milliseconds without a message, and with nothing under way, after which a socket is closed. Default 5 minutes. */
  idleMs: number
  /** Milliseconds between pings; a client that has not answered the last one by the next is gone. Default 20 s. */
  pingMs: number
  /** Answers under way at once on one socket. Default 16. */
  answers: number
}

export const SOCKET_LIMITS: SocketLimits = {
  authMs: 10_000,
  idleMs: 300_000,
  pingMs: 20_000,
  answers: 16,
}

/** Messages that wait for the one before; from here on the client is not read. */
const MAX_INBOX = 16

export class Session {
  readonly #socket: WebSocket
  readonly #deps: Deps
  readonly #authenticate: Authenticate
  readonly #outbox: Outbox
  readonly #underWay: UnderWay
  readonly #inbox: Buffer[] = []
  #working = false
  /** What the client gave last; asked about again for each answer, so that a revoked key ends with its revocation. */
  #token: string | null
  readonly #traceparent: string | undefined
  #drains = false
  readonly #idle: NodeJS.Timeout
  readonly #ping: NodeJS.Timeout
  #auth: NodeJS.Timeout | undefined
  #isAlive = true

  /** @param known from the upgrade's headers; with no token, and keys needed, a message must bring it */
  constructor(
    socket: WebSocket,
    deps: Deps,
    authenticate: Authenticate,
    limits: SocketLimits,
    known: { token: string | null; isIn: boolean; traceparent: string | undefined },
  ) {
    this.#socket = socket
    this.#deps = deps
    this.#authenticate = authenticate
    this.#outbox = new Outbox(socket)
    this.#underWay = new UnderWay(limits.answers)
    this.#token = known.token
    this.#traceparent = known.traceparent
    this.#idle = setTimeout(() => this.#onIdle(), limits.idleMs)
    this.#ping = setInterval(() => this.#beat(), limits.pingMs)
    if (!known.isIn) {
      const late = () => socket.close(CLOSE.unauthenticated, 'no authentication in time')
      this.#auth = setTimeout(late, limits.authMs)
    }
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#onMessage(data, isBinary))
    socket.on('pong', () => {
      this.#isAlive = true
    })
    // What ws finds wrong with a frame (too large, not UTF-8, no frame at all) it also answers, with the code for it.
    socket.on('error', () => this.#underWay.abortAll())
    socket.on('close', () => this.#onClose())
  }

  /** The connection is going down: nobody reads the answers any more. */
  leave(): void {
    this.#underWay.abortAll()
    if (this.#socket.bufferedAmount > 0) this.#socket.terminate()
  }

  /** Ends the socket as soon as nothing is under way. */
  drain(): void {
    this.#drains = true
    if (this.#underWay.size === 0) {
      this.#socket.close(CLOSE.draining, 'the server is shutting down')
    }
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    this.#isAlive = true
    this.#idle.refresh()
    if (isBinary) {
      this.#underWay.abortAll()
      this.#socket.close(CLOSE.binary, 'messages are JSON in text frames')
      return
    }
    this.#inbox.push(data)
    if (this.#inbox.length >= MAX_INBOX) this.#socket.pause()
    if (!this.#working) void this.#work()
  }

  async #work(): Promise<void> {
    this.#working = true
    for (let data = this.#inbox.shift(); data && this.#isOpen; data = this.#inbox.shift()) {
      if (this.#inbox.length < MAX_INBOX && this.#socket.isPaused) this.#socket.resume()
      await this.#take(data)
    }
    this.#working = false
  }

  /** One message. Whatever is wrong with it becomes an error frame. */
  async #take(data: Buffer): Promise<void> {
    const request = requestId(undefined)
    let id: MessageId
    try {
      const value = parseJson(data, 'The message')
      id = idOf(value)
      const { type } = validate(envelope, value, 'The message')
      if (type === 'auth') await this.#logIn(validate(MESSAGES.auth, value, 'The message').token)
      else if (type === 'cancel')
        this.#underWay.cancel(validate(MESSAGES.cancel, value, 'The message').id)
      else {
        const { data: body } = validate(MESSAGES[type], value, 'The message')
        await this.#begin({ type, id, body, bytes: data.length, requestId: request })
      }
    } catch (error) {
      await this.#outbox.send(errorFrame(this.#deps, error, request, id))
      if (isRefusal(error)) this.#socket.close(CLOSE.unauthenticated, 'not authenticated')
    }
  }

  async #logIn(token: string): Promise<void> {
    await this.#authenticate(token)
    this.#token = token
    clearTimeout(this.#auth)
  }

  async #begin(message: Omit<Ask, 'caller' | 'gone' | 'traceparent'>): Promise<void> {
    const caller = await this.#authenticate(this.#token)
    if (!this.#isOpen) return
    if (!caller.scopes.has('generate')) throw missingScope('generate')
    const { gone, end } = this.#underWay.begin(message.id)
    const ask = { ...message, caller, gone, traceparent: this.#traceparent }
    void answer(this.#deps, ask, (frame) => this.#send(frame)).then(() => {
      end()
      this.#idle.refresh()
      if (this.#drains) this.drain()
    })
  }

  /** A socket that is closing (its client's farewell has come) has nobody to tell any more. */
  #send(frame: SocketFrame): Promise<void> {
    if (!this.#isOpen) this.#underWay.abortAll()
    return this.#outbox.send(frame)
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  #onIdle(): void {
    if (this.#underWay.size > 0) this.#idle.refresh()
    else this.#socket.close(CLOSE.idle, 'idle')
  }

  /** Pings, unless something waits to be read already: then it is for the stalled readers' watch to say. */
  #beat(): void {
    if (this.#socket.bufferedAmount > 0) return
    if (!this.#isAlive) {
      this.#socket.terminate()
      return
    }
    this.#isAlive = false
    this.#socket.ping()
  }

  #onClose(): void {
    clearTimeout(this.#auth)
    clearTimeout(this.#idle)
    clearInterval(this.#ping)
    this.#inbox.length = 0
    this.#underWay.abortAll()
  }
}

const isRefusal = (error: unknown): boolean =>
  error instanceof ApiError && error.code === 'unauthenticated'

/** The id of a message that may be wrong in other ways, so that its error finds its way back. */
function idOf(value: unknown): MessageId {
  const given = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined
  if (typeof given === 'string' && given.length > 0 && given.length <= 128) return given
  return typeof given === 'number' && Number.isSafeInteger(given) ? given : undefined
}
