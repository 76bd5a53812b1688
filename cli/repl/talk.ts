/** A conversation under way: what was said, how answers are chosen, and the answer being printed. */
import type { ChatMessage } from '../../engine/api.ts'
import { EngineError, type ErrorCode } from '../../engine/errors.ts'
import { answerReport, follow, statsLine } from '../answer.ts'
import type { Backend } from '../backend/backend.ts'
import { CommandError } from '../exit.ts'
import { type Io, note, stderrColors, write } from '../io.ts'
import { type SamplingFlags, samplingFrom } from '../options.ts'

export interface TalkFlags extends SamplingFlags {
  systemMessage?: string
  stats?: boolean
  json?: boolean
}

/** After these the conversation goes on. */
const RECOVERABLE: readonly ErrorCode[] = [
  'aborted',
  'context_length',
  'bad_request',
  'overloaded',
  'timeout',
]

export class Talk {
  readonly backend: Backend
  readonly io: Io
  system: string | null
  parameters: SamplingFlags
  showsStats: boolean
  /** Questions that got no answer, or a part of one. */
  failures = 0
  readonly #isJson: boolean
  #turns: ChatMessage[] = []
  #stop: AbortController | null = null

  constructor(backend: Backend, io: Io, flags: TalkFlags) {
    const { systemMessage, stats, json, ...parameters } = flags
    this.backend = backend
    this.io = io
    this.system = systemMessage || null
    this.parameters = parameters
    this.showsStats = stats ?? false
    this.#isJson = json ?? false
  }

  /** What the model is told, the system message first. */
  get messages(): readonly ChatMessage[] {
    const first = this.system === null ? [] : [{ role: 'system', content: this.system }]
    return [...first, ...this.#turns]
  }

  set messages(messages: readonly ChatMessage[]) {
    this.system = messages.find(({ role }) => role === 'system')?.content ?? null
    this.#turns = messages.filter(({ role }) => role !== 'system')
  }

  clear(): void {
    this.#turns = []
  }

  /** Ends the answer under way; false where there is none. */
  stop(): boolean {
    this.#stop?.abort()
    return this.#stop !== null
  }

  ask(text: string): Promise<void> {
    return this.#answer([...this.#turns, { role: 'user', content: text }])
  }

  /** Answers the last question once more, in place of its answer; false where there is none. */
  async regenerate(): Promise<boolean> {
    const last = this.#turns.findLastIndex(({ role }) => role === 'user')
    if (last < 0) return false
    await this.#answer(this.#turns.slice(0, last + 1))
    return true
  }

  /** What was said is part of the conversation even when it was stopped; a question without any answer is not. */
  async #answer(turns: ChatMessage[]): Promise<void> {
    const { io, backend } = this
    const system = this.system === null ? [] : [{ role: 'system', content: this.system }]
    this.#stop = new AbortController()
    const options = { ...samplingFrom(this.parameters), signal: this.#stop.signal }
    let said = ''
    try {
      const answered = await follow(backend.chat([...system, ...turns], options), async (piece) => {
        said += piece
        if (!this.#isJson) await write(io.stdout, piece)
      })
      const whole = this.#isJson
        ? JSON.stringify(answerReport(backend.model, answered, options))
        : ''
      await write(io.stdout, `${whole}\n`)
      if (this.showsStats) note(io, stderrColors(io).dim(statsLine(answered)))
    } catch (error) {
      if (!isRecoverable(error)) throw error
      await this.#fail(error, said)
    } finally {
      this.#stop = null
    }
    if (said) this.#turns = [...turns, { role: 'assistant', content: said }]
  }

  async #fail(error: EngineError | CommandError, said: string): Promise<void> {
    const { io } = this
    const isStopped = error instanceof EngineError && error.code === 'aborted'
    const code = 'code' in error && typeof error.code === 'string' ? error.code : null
    this.failures++
    if (this.#isJson) {
      const line = {
        model: this.backend.model,
        text: said,
        error: { code, message: error.message },
      }
      await write(io.stdout, `${JSON.stringify(line)}\n`)
    } else if (said) await write(io.stdout, '\n')
    // The engine's code, and the server's.
    const isFull = code?.startsWith('context_length') ?? false
    note(io, isStopped ? '(stopped)' : `${error.message}${isFull ? ' /clear starts anew.' : ''}`)
  }
}

const isRecoverable = (error: unknown): error is EngineError | CommandError =>
  error instanceof CommandError ||
  (error instanceof EngineError && RECOVERABLE.includes(error.code))
