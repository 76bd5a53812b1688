/**
 * Every shell block of docs/cli.md, run by bash as it stands: pipes, redirections and quotes are real, `illuminator` is
 * our whole command line over a fake engine in this process, and the server on port 8000 a real one over another.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Setting, start } from './cli-terminal.ts'
import { commandPaths } from './command-help.ts'
import { serveFake } from './served-fake.ts'

const PAGE = readFileSync(new URL('../docs/cli.md', import.meta.url), 'utf8')
const BLOCKS = [...PAGE.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
const URL_OF_PAGE = 'http://127.0.0.1:8000'

interface Command {
  args: string[]
  stdin: string
  env: Record<string, string>
}

/** What `illuminator` is in the scripts: hands everything to this process and says what came back. */
const CLIENT = `
import { request } from 'node:http'
let stdin = ''
if (!process.stdin.isTTY) for await (const chunk of process.stdin) stdin += chunk
const kept = Object.entries(process.env).filter(([name]) => /^(ILLUMINATOR|XDG)_/.test(name))
const body = JSON.stringify({ args: process.argv.slice(2), stdin, env: Object.fromEntries(kept) })
const call = request({ socketPath: process.env.CLI_SOCKET, method: 'POST' }, async (response) => {
  let text = ''
  for await (const chunk of response) text += chunk
  const { code, stdout, stderr } = JSON.parse(text)
  process.stdout.write(stdout)
  process.stderr.write(stderr)
  process.exitCode = code
})
call.end(body)
`

const home = mkdtempSync(join(tmpdir(), 'illuminator-docs-'))
const socket = join(home, 'cli.sock')
const ran: { args: string[]; code: number; stderr: string }[] = []
let server: Awaited<ReturnType<typeof serveFake>>
let commands: Server

async function answer({ args, stdin, env }: Command) {
  const real = (text: string) => text.replaceAll(URL_OF_PAGE, server.url)
  const given = Object.entries(env).map(([name, value]) => [name, real(value)])
  const adapter = { driver: 'lavapipe' as const, name: 'llvmpipe', vendor: 'mesa', chosen: true }
  const folder = join(home, 'my-model')
  const setting: Setting = {
    ...(stdin === '' ? {} : { stdin }),
    env: Object.fromEntries(given),
    parts: {
      listAdapters: async () => [{ ...adapter, features: [], limits: {}, reason: 'a test' }],
    },
    hub: { resolveModel: async (id) => ({ id, folder, source: 'a test' }) },
  }
  const isServer = args[0] === 'serve'
  // Several tests at once cannot all have port 8000.
  const words = isServer ? args.map((word) => (word === '8000' ? '0' : word)) : args.map(real)
  const started = start(words, setting)
  // Nothing was piped in: the page means a terminal, and somebody who leaves it at once.
  if (stdin === '') started.type('\u0004')
  if (isServer) {
    await expect.poll(started.out).toContain('Ready:')
    process.emit('SIGTERM', 'SIGTERM')
  }
  const code = await started.done
  ran.push({ args, code, stderr: started.err() })
  return { code, stdout: started.out(), stderr: started.err() }
}

beforeAll(async () => {
  process.chdir(home)
  mkdirSync('my-model')
  writeFileSync('my-model/config.json', JSON.stringify({ architectures: ['LlamaForCausalLM'] }))
  const texts = { 'prompt.txt': 'Once', 'questions.txt': 'One?\nTwo?\n', 'notes.txt': 'Notes.' }
  const more = { 'prompts.txt': 'one\ntwo\n', 'key.txt': 'sk-1', 'client.mjs': CLIENT }
  // The fake engine's logits are of three ids, and a code point is an id.
  writeFileSync('corpus.txt', '\u0000\u0001\u0002\u0001')
  for (const [name, text] of Object.entries({ ...texts, ...more })) writeFileSync(name, text)
  server = await serveFake()
  commands = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    response.end(JSON.stringify(await answer(JSON.parse(body) as Command)))
  })
  await new Promise<void>((resolve) => commands.listen(socket, resolve))
})

afterAll(async () => {
  commands.close()
  await server.close()
})

/** Runs a script; rejects, with what it said, when it fails. */
function bash(script: string): Promise<string> {
  const lead = `set -euo pipefail
illuminator() { '${process.execPath}' client.mjs "$@"; }
`
  const env = { PATH: process.env.PATH ?? '', CLI_SOCKET: socket, XDG_CONFIG_HOME: home }
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, stdout: string, stderr: string) =>
      error ? reject(new Error(`${script}\n${stderr}`)) : resolve(stdout)
    const child = execFile('bash', ['--norc', '-c', lead + script], { cwd: home, env }, done)
    child.stdin?.end()
  })
}

test.each(BLOCKS)('%s', async (block) => {
  ran.length = 0
  await bash(block)
  expect(ran.filter(({ code }) => code !== 0)).toEqual([])
  expect(ran).toHaveLength(block.match(/\billuminator (?=[a-z])/g)?.length ?? 0)
})

test('they left what the page says', () => {
  for (const file of ['output.txt', 'story.txt', 'answers.txt', '_illuminator']) {
    expect(readFileSync(file, 'utf8')).not.toBe('')
  }
  const lines = readFileSync('answers.jsonl', 'utf8').trim().split('\n')
  expect(lines.map((line): unknown => JSON.parse(line))).toHaveLength(2)
  expect(readFileSync('results.jsonl', 'utf8').trim().split('\n')).toHaveLength(2)
  // "config reset" was the last word on it.
  expect(existsSync(join('illuminator', 'client.json'))).toBe(false)
})

test('every command is in the page', async () => {
  const paths = await commandPaths()
  const shown = paths.filter((path) => path.length > 0).map((path) => path.join(' '))
  const leaves = shown.filter((path) => !shown.some((other) => other.startsWith(`${path} `)))
  expect(leaves.filter((path) => !PAGE.includes(`illuminator ${path}`))).toEqual([])
})
