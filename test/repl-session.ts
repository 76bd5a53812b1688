/**
 * Records docs/cli-session.txt: a session of `illuminator chat` in tmux over a real model, as it stands on the screen;
 * only Dawn's warnings are left out. Nothing in it is written by hand. Needs tmux and the model's folder.
 * Usage: node --import ./test/run-typescript.mjs test/repl-session.ts FOLDER
 */
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Tmux } from './tmux.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const DAWN = /^Warning: max[\s\S]*? limit\.\n/gm
const [LOAD_SECONDS, ANSWER_SECONDS] = [600, 300]
const SCREEN = { columns: 100, rows: 50 }

const [model = ''] = process.argv.slice(2)
const home = mkdtempSync(join(tmpdir(), 'illuminator-session-'))
const models = join(home, 'models', 'HuggingFaceTB')
mkdirSync(models, { recursive: true })
symlinkSync(resolve(model), join(models, 'SmolLM2-135M-Instruct'))
const node = `'${process.execPath}' --import '${root}test/run-typescript.mjs' '${root}cli/main.ts'`
writeFileSync(
  join(home, 'shell'),
  `cd '${home}'; PS1='$ '; illuminator() { ${node} "$@"; }; clear\n`,
)
const env = {
  ILLUMINATOR_DATA: join(home, 'data'),
  ILLUMINATOR_MODELS: join(home, 'models'),
  XDG_CONFIG_HOME: home,
  HF_HUB_OFFLINE: '1',
}
const terminal = new Tmux(`bash --noprofile --rcfile '${home}/shell' -i`, { ...SCREEN, env })

const screen = () => terminal.text().replaceAll(DAWN, '')

/** Waits until the last line is this prompt, and something was said since. */
async function until(prompt: '$' | '>>>', before: string, seconds = ANSWER_SECONDS): Promise<void> {
  const isThere = (text: string) => text !== before && text.trimEnd().endsWith(`\n${prompt}`)
  await terminal.until((text) => isThere(`\n${text}`), seconds)
}

async function say(line: string): Promise<void> {
  const before = terminal.text()
  terminal.enter(line)
  await until('>>>', before)
}

/** Presses Ctrl-C once the answer has begun. */
async function interrupted(line: string): Promise<void> {
  const before = terminal.text()
  terminal.enter(line)
  const asked = before.length + line.length
  await terminal.until((text) => text.length > asked + 80, ANSWER_SECONDS)
  terminal.press('C-c')
  await until('>>>', before)
}

async function first(): Promise<void> {
  const before = terminal.text()
  terminal.enter('illuminator chat --temperature 0 --max-tokens 80')
  await until('>>>', before, LOAD_SECONDS)
  await say('What is the capital of France?')
  await say('/set stats on')
  await say('And of Italy?')
  terminal.enter('"""Say this in one sentence:')
  terminal.enter('the sea is blue,')
  await say('and the sky is too."""')
  await interrupted('Tell me a long story about a lamp.')
  await say('/set temperature 0.8')
  await say('/set seed 7')
  await say('/regen')
  await say('/system You answer in one short sentence.')
  await say('/show')
  await say('/save lamp.json')
  await say('/help')
  const end = terminal.text()
  terminal.enter('/bye')
  await until('$', end)
}

/** Another chat, that goes on with the first, and is left by Ctrl-C twice. */
async function second(): Promise<void> {
  const before = terminal.text()
  terminal.enter('illuminator chat --max-tokens 60')
  await until('>>>', before, LOAD_SECONDS)
  await say('/load lamp.json')
  await say('/clear')
  const pasted = terminal.text()
  terminal.paste('Which of these is a fruit?\n- a lamp\n- an apple')
  terminal.press('Enter')
  await until('>>>', pasted)
  for (const _ of ['first', 'second']) {
    const end = terminal.text()
    terminal.press('C-c')
    await terminal.until((text) => text !== end && /(>>>|\$)$/.test(text))
  }
  const end = terminal.text()
  terminal.enter('echo $?')
  await until('$', end)
}

try {
  await terminal.until((text) => text.endsWith('$'))
  await first()
  await second()
  const lines = screen().replace(/\n\$$/, '').trimStart()
  writeFileSync(join(root, 'docs', 'cli-session.txt'), `${lines}\n`)
} finally {
  terminal.close()
}
