/**
 * Where messages come from: Node's line editor on a terminal, with history, pasting and Ctrl-C, or plain lines from a
 * pipe. What it draws goes to stderr: stdout is for answers.
 */
import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'
import { Interrupted } from '../exit.ts'
import { type Io, note } from '../io.ts'
import type { History } from './history.ts'
import { type Message, MessageAssembler } from './message-assembler.ts'

const [PROMPT, GOES_ON] = ['>>> ', '... ']
/** Terminals then mark what is pasted. */
const [MARK_PASTES, MARK_NO_PASTES] = ['\u001b[?2004h', '\u001b[?2004l']

interface Line {
  readonly text: string
  readonly isPasted: boolean
  /** Typed while an answer was printed, and so not seen yet. */
  readonly isUnseen: boolean
}

export interface LineInputOptions {
  history: History
  /** What a line could become, for the tab key. */
  complete(line: string): string[]
  /** Ends the answer under way; false where there is none. */
  stop(): boolean
}

export class LineInput {
  readonly isInteractive: boolean
  readonly #io: Io
  readonly #options: LineInputOptions
  readonly #screen: Screen
  readonly #lines: Interface
  readonly #assembler = new MessageAssembler()
  readonly #queue: Line[] = []
  #wake: (() => void) | null = null
  #isClosed = false
  #isPasting = false
  /** Ctrl-C at an empty prompt: once, and twice. */
  #leaving = 0

  constructor(io: Io, options: LineInputOptions) {
    this.#io = io
    this.#options = options
    this.isInteractive = io.stdin.isTTY === true
    this.#screen = new Screen(io)
    this.#lines = this.#open()
    this.#lines.on('line', (text) => {
      this.#leaving = 0
      if (this.isInteractive) options.history.add(text)
      const isUnseen = this.#screen.isMuted
      this.#push({ text, isPasted: this.#isPasting, isUnseen })
    })
    this.#lines.on('close', () => {
      this.#isClosed = true
      this.#wake?.()
    })
    this.#lines.on('SIGINT', () => this.#interrupt())
  }

  /**
   * The next message; null at the end.
   * @throws Interrupted for Ctrl-C twice
   */
  async read(): Promise<Message | null> {
    for (;;) {
      const line = await this.#next()
      const message = line ? this.#assembler.add(line.text, line.isPasted) : this.#assembler.rest()
      if (message || !line) return message
    }
  }

  /** What is typed meanwhile is kept, but not drawn into the answer. */
  async whileAnswering<T>(work: () => Promise<T>): Promise<T> {
    this.#screen.isMuted = true
    try {
      return await work()
    } finally {
      this.#screen.isMuted = false
    }
  }

  close(): void {
    if (!this.#isClosed && this.isInteractive) this.#screen.write(MARK_NO_PASTES)
    this.#lines.close()
  }

  #open(): Interface {
    const { stdin } = this.#io
    if (!this.isInteractive) return createInterface({ input: stdin })
    stdin.on('keypress', (_, key?: { name?: string }) => {
      if (key?.name === 'paste-start') this.#isPasting = true
      if (key?.name === 'paste-end') this.#isPasting = false
    })
    this.#screen.write(MARK_PASTES)
    return createInterface({
      input: stdin,
      output: this.#screen,
      terminal: true,
      history: [...this.#options.history.lines],
      historySize: Math.max(1000, this.#options.history.lines.length),
      removeHistoryDuplicates: true,
      completer: (line: string) => [this.#options.complete(line), line],
    })
  }

  #push(line: Line): void {
    this.#queue.push(line)
    this.#wake?.()
  }

  async #next(): Promise<Line | null> {
    if (this.#queue.length === 0 && !this.#isClosed) {
      this.#prompt()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = null
    }
    if (this.#leaving > 1) throw new Interrupted('interrupted')
    const line = this.#queue.shift() ?? null
    if (line?.isUnseen) this.#screen.write(`${this.#promptText()}${line.text}\n`)
    return line
  }

  #promptText(): string {
    return this.#assembler.isOpen ? GOES_ON : PROMPT
  }

  #prompt(): void {
    // Between pasted lines a prompt would stand in the middle of the text.
    if (!this.isInteractive || this.#isPasting) return
    this.#lines.setPrompt(this.#promptText())
    this.#lines.prompt(true)
  }

  /** Stops the answer; else drops what was typed; else asks whether to leave; else leaves. */
  #interrupt(): void {
    if (this.#options.stop()) return
    const wasEmpty = this.#lines.line === '' && !this.#assembler.isOpen
    this.#assembler.cancel()
    this.#dropLine()
    this.#leaving = wasEmpty ? this.#leaving + 1 : 0
    if (this.#leaving > 1) {
      this.close()
      return
    }
    if (wasEmpty) note(this.#io, '(Ctrl-C again, Ctrl-D or /bye leaves)')
    this.#prompt()
  }

  /** As shells do: what was typed stays to be seen. */
  #dropLine(): void {
    this.#lines.write(null, { ctrl: true, name: 'e' })
    this.#screen.write('^C\n')
    this.#screen.isMuted = true
    this.#lines.write(null, { ctrl: true, name: 'u' })
    this.#screen.isMuted = false
  }
}

/** stderr, as the line editor draws on it; muted while an answer is printed. */
class Screen extends Writable {
  isMuted = false
  readonly #stderr: Io['stderr']

  constructor({ stderr }: Io) {
    super()
    this.#stderr = stderr
    stderr.on('resize', () => this.emit('resize'))
  }

  /** Read by the line editor. */
  get columns(): number | undefined {
    return (this.#stderr as { columns?: number }).columns
  }

  /** At once: a stream's own queue could be drawn after the prompt was muted, or before. */
  override write(chunk: string | Uint8Array): boolean {
    return this.isMuted || this.#stderr.write(chunk)
  }
}
