/** What was typed in chats, kept in the data folder for the next one, for nobody's eyes but the user's. */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Lines that are kept. */
export const MOST_LINES = 1000

export class History {
  /** Latest first, as readline wants them. */
  readonly lines: readonly string[]
  readonly #file: string | null
  readonly #tell: (line: string) => void
  #isBroken = false

  /**
   * @param file null keeps nothing
   * @param tell hears once why nothing can be kept
   */
  constructor(file: string | null, tell: (line: string) => void) {
    this.#file = file
    this.#tell = tell
    this.lines = this.#read().slice(-MOST_LINES).reverse()
  }

  add(line: string): void {
    const text = line.trim()
    if (text === '') return
    this.#orTell((file) => appendFileSync(file, `${text}\n`, { mode: 0o600 }))
  }

  #read(): string[] {
    let lines: string[] = []
    this.#orTell((file) => {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      // Made if it is not there, and closed to others in any case.
      appendFileSync(file, '', { mode: 0o600 })
      chmodSync(file, 0o600)
      lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
      if (lines.length > 2 * MOST_LINES) {
        writeFileSync(file, `${lines.slice(-MOST_LINES).join('\n')}\n`)
      }
    })
    return lines
  }

  /** A chat goes on without its history. */
  #orTell(work: (file: string) => void): void {
    if (this.#file === null || this.#isBroken) return
    try {
      work(this.#file)
    } catch (error) {
      this.#isBroken = true
      const why = error instanceof Error ? error.message : String(error)
      this.#tell(`What you type is not kept for the next time: ${why}`)
    }
  }
}
