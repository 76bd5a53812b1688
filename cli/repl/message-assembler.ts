/** Lines put together to messages: `"""` opens and closes several of them, and what is pasted is one. */

export interface Message {
  readonly text: string
  /** Typed as one line: it may be a command. */
  readonly mayBeCommand: boolean
}

/** What opens a block: at the beginning of a line, or as the argument of a command such as /system. */
const OPENING = /^(\s*(?:\/\w+\s+(?:\w+\s+)?)?)"""/
const CLOSING = /"""\s*$/

export class MessageAssembler {
  /** What stands before the block, and its lines so far. */
  #block: { readonly lead: string; readonly lines: string[] } | null = null
  #pasted: string[] = []

  /** A message has begun. */
  get isOpen(): boolean {
    return this.#block !== null || this.#pasted.length > 0
  }

  /**
   * @param isPasted its line break was pasted, too: what comes next belongs to it
   * @returns the message that ends with this line; null where it goes on
   */
  add(line: string, isPasted = false): Message | null {
    if (isPasted) {
      this.#pasted.push(line)
      return null
    }
    const text = [...this.#pasted.splice(0), line].join('\n')
    if (this.#block) return this.#goOn(text)
    const [opening, lead = ''] = OPENING.exec(text) ?? []
    if (opening === undefined) return { text, mayBeCommand: !text.includes('\n') }
    this.#block = { lead, lines: [] }
    return this.#goOn(text.slice(opening.length))
  }

  /** Drops what was begun. */
  cancel(): void {
    this.#block = null
    this.#pasted = []
  }

  /** At the end of the input: what was begun and never ended. */
  rest(): Message | null {
    if (!this.isOpen) return null
    const text = this.#pasted.splice(0).join('\n')
    return this.#block ? this.#goOn(`${text}"""`) : { text, mayBeCommand: false }
  }

  #goOn(text: string): Message | null {
    const { lead, lines } = this.#block as { lead: string; lines: string[] }
    lines.push(text.replace(CLOSING, ''))
    if (!CLOSING.test(text)) return null
    this.#block = null
    // The line breaks behind the opening marks and before the closing ones are the marks' own.
    const body = lines.join('\n').replace(/^\n|\n$/g, '')
    return { text: lead + body, mayBeCommand: lead.trim() !== '' }
  }
}
