#!/usr/bin/env node
/**
 * Draws `docs/chat.svg`: runs the real `illuminator chat` in a tmux terminal, types the questions below, waits for each
 * answer, and renders what stood on the screen. Nothing is written by hand: what the model prints is what is drawn; only
 * Dawn's two warnings are left out. Sampling is off, so that the picture can be made again. Needs tmux.
 * Usage: node scripts/record-chat.mjs [questions…]
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { root, say } from './project.mjs'

const QUESTIONS = ['What is the capital of France?', 'Name three things to see there.']
const [COLUMNS, ROWS] = [120, 32]
const PROMPT = /^>>> *$/
const DAWN = /^Warning: max[\s\S]*? limit\.\n/gm
const [LOAD_SECONDS, ANSWER_SECONDS] = [600, 120]
const [CHARACTER, LINE, EDGE, BAR] = [8.4, 19, 16, 30]

/** Types `questions` into a chat and returns the lines on its screen at the end, from the command on. */
async function record(questions) {
  // Builds first, so that the picture begins with the chat.
  execFileSync(process.execPath, [join(root, 'scripts', 'run.mjs'), 'cli', '--version'])
  const socket = `illuminator-${process.pid}`
  const tmux = (...args) => execFileSync('tmux', ['-L', socket, ...args], { encoding: 'utf8' })
  const type = (text) => {
    tmux('send-keys', '-t', 'chat', '-l', text)
    tmux('send-keys', '-t', 'chat', 'Enter')
  }
  const screen = () =>
    tmux('capture-pane', '-p', '-t', 'chat').replaceAll(DAWN, '').trimEnd().split('\n')
  const size = ['-x', String(COLUMNS), '-y', String(ROWS)]
  tmux('-f', '/dev/null', 'new-session', '-d', '-s', 'chat', ...size, "env PS1='$ ' sh")
  try {
    tmux('send-keys', '-t', 'chat', '-l', `cd '${root}' && clear`)
    tmux('send-keys', '-t', 'chat', 'Enter')
    await sleep(500)
    type('npm run -s cli -- chat --temperature 0 --max-tokens 120')
    await untilPrompt(screen, 1, LOAD_SECONDS)
    for (const [i, question] of questions.entries()) {
      type(question)
      await untilPrompt(screen, i + 2, ANSWER_SECONDS)
    }
    const lines = screen()
    type('/bye')
    return lines
  } finally {
    await sleep(500)
    tmux('kill-server')
  }
}

/** Waits until the chat has asked `count` times and waits for the next line. */
async function untilPrompt(screen, count, seconds) {
  for (let waited = 0; waited < seconds * 4; waited++) {
    const lines = screen()
    const asked = lines.filter((line) => line.startsWith('>>>')).length
    if (asked >= count && PROMPT.test(lines.at(-1) ?? '')) return
    await sleep(250)
  }
  throw new Error(
    `the chat did not ask again within ${seconds} s; its screen:\n${screen().join('\n')}`,
  )
}

const escaped = (text) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function style(line) {
  if (line.startsWith('$ ')) return 'command'
  if (line.startsWith('>>>')) return 'asked'
  return /\/help lists|^(Loading|Compiling|Downloading) .*%/.test(line) ? 'note' : 'said'
}

/** A terminal window with these lines, as SVG. */
export function draw(lines) {
  const width = Math.ceil(COLUMNS * CHARACTER + 2 * EDGE)
  const height = BAR + lines.length * LINE + 2 * EDGE - 6
  const texts = lines.map((line, i) => {
    const y = BAR + EDGE + i * LINE + 8
    return `<text class="${style(line)}" x="${EDGE}" y="${y}" xml:space="preserve">${escaped(line)}</text>`
  })
  const dots = ['#ff5f56', '#ffbd2e', '#27c93f'].map(
    (color, i) => `<circle cx="${18 + i * 18}" cy="15" r="5.5" fill="${color}"/>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="A chat with SmolLM2-135M-Instruct in the terminal">
<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d4d7de}.note{fill:#7f8694}.asked{fill:#8bd5ca;font-weight:600}.command{fill:#f5f7fa}</style>
<rect width="${width}" height="${height}" rx="8" fill="#16181d"/>
${dots.join('')}
${texts.join('\n')}
</svg>
`
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const questions = process.argv.length > 2 ? process.argv.slice(2) : QUESTIONS
  try {
    const lines = await record(questions)
    writeFileSync(join(root, 'docs', 'chat.svg'), draw(lines))
    say(`wrote docs/chat.svg:\n${lines.join('\n')}`)
  } catch (error) {
    say(error.code === 'ENOENT' ? 'tmux is not installed; it plays the terminal' : error.message)
    process.exitCode = 1
  }
}
