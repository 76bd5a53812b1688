/** A real terminal for tests and recordings: tmux runs a command in one, types into it and tells what is on its screen. */
import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const ENDED = /\n\[ended with (\d+)\]$/
let sessions = 0

export interface TmuxOptions {
  columns?: number
  rows?: number
  env?: Readonly<Record<string, string>>
}

export class Tmux {
  readonly #socket = `illuminator-${process.pid}-${sessions++}`

  /** @param command as a shell reads it, in the root of the checkout */
  constructor(command: string, { columns = 100, rows = 40, env = {} }: TmuxOptions = {}) {
    const variables = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`])
    const size = ['-x', String(columns), '-y', String(rows)]
    // tmux itself does not always learn how a command ended.
    const script = `${command}; printf '\\n[ended with %s]\\n' "$?"; exec sleep 3600`
    const session = ['new-session', '-d', '-s', 'main', '-c', ROOT, ...size, ...variables]
    this.#run('-f', '/dev/null', ...session, script)
  }

  type(text: string): void {
    this.#run('send-keys', '-t', 'main', '-l', text)
  }

  /** As tmux names them: Enter, C-c, Up. */
  press(...keys: string[]): void {
    this.#run('send-keys', '-t', 'main', ...keys)
  }

  enter(line: string): void {
    this.type(line)
    this.press('Enter')
  }

  /** Marked as a paste where the program asked for that. */
  paste(text: string): void {
    this.#run('set-buffer', text, ';', 'paste-buffer', '-p', '-t', 'main')
  }

  /** Every line so far, those that have left the screen too. */
  text(): string {
    return this.#run('capture-pane', '-p', '-J', '-S', '-', '-t', 'main').trimEnd()
  }

  /** Waits until the text does; @throws with what is there when it never does. */
  async until(wanted: (text: string) => boolean, seconds = 60): Promise<string> {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(100)) {
      const text = this.text()
      if (wanted(text)) return text
    }
    throw new Error(
      `What was waited for did not come in ${seconds} s. On the screen:\n${this.text()}`,
    )
  }

  /** The exit code, once the command has ended. */
  async ended(): Promise<number> {
    const text = await this.until((all) => ENDED.test(all))
    return Number(ENDED.exec(text)?.[1])
  }

  close(): void {
    this.#run('kill-server')
  }

  #run(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }
}
