/** `chat` in a real terminal (tmux), as a real process: keys, pastes, Ctrl-C, history, and what lands in stdout. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { describeProgram } from './shells.ts'
import { Tmux } from './tmux.ts'

const COMMAND = `'${process.execPath}' --import ./test/run-typescript.mjs test/fake-cli.ts chat`
const ANSWER = 'Once upon a time there was a lamp 💡.'
const PROMPT = />>>$/
/** Processes are started, each of which reads all our sources. */
const SLOW = 240_000

let open: Tmux[] = []
afterEach(() => {
  for (const terminal of open) terminal.close()
  open = []
})

async function chat(data: string, rest = ''): Promise<Tmux> {
  const env = { ILLUMINATOR_DATA: data, XDG_CONFIG_HOME: data, NO_COLOR: '1' }
  const terminal = new Tmux(`${COMMAND}${rest}`, { env })
  open.push(terminal)
  await terminal.until((text) => PROMPT.test(text))
  return terminal
}

const fresh = () => mkdtempSync(join(tmpdir(), 'illuminator-terminal-'))

/** The last line is a prompt. */
const waits = (text: string) => PROMPT.test(text)

describeProgram('tmux', 'a chat in a terminal', () => {
  test(
    'an answer, its counts, and a Ctrl-C that stops the next one and not the program',
    async () => {
      const terminal = await chat(fresh(), ' --stats')
      terminal.enter('tell me')
      const first = await terminal.until((text) => text.includes(' · stop') && waits(text))
      expect(first).toContain(`>>> tell me\n${ANSWER}\n`)
      terminal.enter('again')
      await terminal.until((text) => /again\nOnce/.test(text))
      terminal.press('C-c')
      const second = await terminal.until((text) => text.includes('(stopped)') && waits(text))
      expect(second).not.toContain(`again\n${ANSWER}`)
      terminal.type('half a question')
      terminal.press('C-c')
      await terminal.until((text) => />>> half a question\^C\n>>>$/.test(text))
      terminal.press('C-c')
      await terminal.until((text) => text.includes('/bye leaves'))
      terminal.press('C-c')
      expect(await terminal.ended()).toBe(130)
    },
    SLOW,
  )

  test(
    'several lines, pasted or between marks, are one message',
    async () => {
      const terminal = await chat(fresh())
      terminal.paste('one\n/bye\nthree')
      terminal.press('Enter')
      await terminal.until((text) => text.includes(ANSWER) && waits(text))
      terminal.enter('"""four')
      await terminal.until((text) => text.endsWith('...'))
      terminal.enter('five"""')
      await terminal.until((text) => text.split(ANSWER).length > 2 && waits(text))
      terminal.enter('/show messages')
      const shown = await terminal.until((text) => text.includes('user: four\nfive\n'))
      expect(shown).toContain('user: one\n/bye\nthree\n')
      terminal.enter('/bye')
      expect(await terminal.ended()).toBe(0)
    },
    SLOW,
  )

  test(
    'only answers are in stdout, and what was typed comes back the next time',
    async () => {
      const data = fresh()
      const terminal = await chat(data, ` >'${data}/out.txt'`)
      terminal.enter('remember me')
      await terminal.until((text) => /remember me\n>>>$/.test(text))
      terminal.press('C-d')
      expect(await terminal.ended()).toBe(0)
      expect(readFileSync(join(data, 'out.txt'), 'utf8')).toBe(`${ANSWER}\n`)
      const next = await chat(data)
      next.press('Up')
      await next.until((text) => text.endsWith('>>> remember me'))
      next.press('C-c')
      next.press('C-d')
      expect(await next.ended()).toBe(0)
    },
    SLOW,
  )
})
