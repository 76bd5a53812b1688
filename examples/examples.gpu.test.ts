/**
 * The examples run as they stand, against the built package as `import … from 'illuminator'` finds it, with the default
 * model: from the models folder of this machine, else fetched once into `.cache/models` of this checkout.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { DEFAULT_MODEL, defaultModelsFolder, resolveModel } from '../engine/hub/index.ts'
import { writeRandomLlama } from '../test/random-llama.ts'
import { SLOW } from '../test/slow-adapter.ts'

const ROOT = resolve(import.meta.dirname, '..')
const run = promisify(execFile)

/** The models folder that holds the default model, or in words why no source has it. */
async function modelsFolder(): Promise<{ folder: string } | { missing: string }> {
  const own = defaultModelsFolder()
  const isHere = await resolveModel(DEFAULT_MODEL, { offline: true }).then(
    () => true,
    () => false,
  )
  if (isHere) return { folder: own }
  const folder = join(ROOT, '.cache', 'models')
  try {
    await resolveModel(DEFAULT_MODEL, { modelsFolder: folder })
    return { folder }
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) }
  }
}

const found = await modelsFolder()
if ('missing' in found) process.stderr.write(`skipped: examples: ${found.missing}\n`)

describe.skipIf('missing' in found)('examples [needs the default model]', () => {
  const env: NodeJS.ProcessEnv = { ...process.env }
  if ('folder' in found) env.ILLUMINATOR_MODELS = found.folder
  const example = (name: string, ...args: string[]) =>
    run(process.execPath, [join(ROOT, 'examples', name), ...args], { cwd: ROOT, env })

  beforeAll(async () => {
    // Builds when sources changed.
    await run(process.execPath, [join(ROOT, 'scripts', 'run.mjs'), 'cli', '--version'], { env })
  })

  test('chat.mjs answers', async () => {
    const { stdout, stderr } = await example('chat.mjs')
    expect(stdout).toContain('Paris')
    expect(stderr).toMatch(/\d+\.\d tokens\/s on \w/)
  })

  test('stream.mjs streams', async () => {
    const { stdout, stderr } = await example('stream.mjs', 'The sun')
    expect(stdout.length).toBeGreaterThan(20)
    expect(stderr).toMatch(/pipelines: done[\s\S]*\d+ tokens, ended by (stop|length)/)
  })

  // Each loads the model anew.
  describe.skipIf(SLOW)('and those that take their time', () => {
    test('chat-bot.mjs remembers the conversation, line by line from a pipe', async () => {
      const talk = execFile(process.execPath, [join(ROOT, 'examples', 'chat-bot.mjs')], { env })
      const ended = once(talk, 'exit')
      const said = text(talk.stdout ?? Readable.from([]))
      talk.stdin?.end('What is the capital of France?\nRepeat that, please.\n')
      expect(await ended).toEqual([0, null])
      expect((await said).match(/Paris/g)).toHaveLength(2)
    })

    test('batch-summaries.mjs tells of every file, in order, and computes the shared prompt once', async () => {
      const files = ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md']
      const { stdout, stderr } = await example('batch-summaries.mjs', ...files)
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Summary)
      expect(lines.map(({ file }) => file)).toEqual(files)
      for (const { summary } of lines) expect(summary.length).toBeGreaterThan(5)
      const [, cached] = /(\d+) of \d+ prompt tokens/.exec(stderr) ?? []
      expect(Number(cached)).toBeGreaterThan(0)
    })

    test('structured-logs.mjs logs JSON with counts and without texts', async () => {
      const { stdout, stderr } = await example('structured-logs.mjs', 'Once upon a time')
      expect(stdout.length).toBeGreaterThan(20)
      const lines = stderr
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('{'))
      const logged = lines.map((line) => JSON.parse(line) as { msg: string })
      const said = logged.map(({ msg }) => msg)
      expect(said).toEqual(expect.arrayContaining(['loaded', 'answered', 'refused', 'GPU bytes']))
      expect(logged.find(({ msg }) => msg === 'answered')).toMatchObject({ completionTokens: 30 })
      expect(logged.find(({ msg }) => msg === 'refused')).toMatchObject({ param: 'temperature' })
      expect(stderr).not.toContain('Once upon')
    })

    test('express.mjs streams, refuses what is wrong, and ends with SIGTERM', async () => {
      const settings = { ...env, PORT: '0' }
      const server = spawn(process.execPath, [join(ROOT, 'examples', 'express.mjs')], {
        env: settings,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      try {
        const url = await urlIn(server)
        const post = (body: unknown) =>
          fetch(`${url}/chat`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          })
        expect(await (await post({ message: 'What is the capital of France?' })).text()).toContain(
          'Paris',
        )
        expect((await post({})).status).toBe(400)
        expect((await post({ message: 'long '.repeat(10_000) })).status).toBe(400)
      } finally {
        const ended = once(server, 'exit')
        server.kill('SIGTERM')
        expect(await ended).toEqual([0, null])
      }
    })

    test('the Next.js route streams, and says what is wrong', async () => {
      const script = `
        import { POST } from ${JSON.stringify(join(ROOT, 'examples/nextjs/app/api/chat/route.mjs'))}
        const ask = async (content) => {
          const body = JSON.stringify({ messages: [{ role: 'user', content }] })
          const response = await POST(new Request('http://x/api/chat', { method: 'POST', body }))
          console.log(response.status, await response.text())
        }
        await ask('What is the capital of France?')
        await ask('long '.repeat(10000))
        await (await globalThis.illuminator).close()`
      const flags = ['--input-type=module', '--eval', script]
      const { stdout } = await run(process.execPath, flags, { cwd: ROOT, env })
      expect(stdout).toMatch(/^200 .*Paris/)
      expect(stdout).toMatch(/^400 \{"error":"The prompt has \d+ tokens/m)
    })

    test('chat.mjs runs in an empty folder, from the tarball', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'illuminator-empty-'))
      const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]
      const { stdout: packed } = await run('npm', pack, { cwd: ROOT })
      const [{ filename }] = JSON.parse(packed) as [{ filename: string }]
      await writeFile(join(folder, 'package.json'), '{ "private": true }')
      const install = ['install', '--prefer-offline', '--no-audit', '--no-fund']
      await run('npm', [...install, join(folder, filename)], { cwd: folder })
      await copyFile(join(ROOT, 'examples', 'chat.mjs'), join(folder, 'chat.mjs'))
      const { stdout } = await run(process.execPath, ['chat.mjs'], { cwd: folder, env })
      await rm(folder, { recursive: true })
      expect(stdout).toContain('Paris')
    })

    const pages = ['docs/library.md', 'docs/quick-start.md'].flatMap(snippets)
    test.each(pages)('%s', async (_, code) => {
      const { folder } = await writeRandomLlama({ hidden: 64, intermediate: 128, text: true })
      const script = code.replaceAll('./my-model', folder)
      const flags = ['--input-type=module', '--eval', script]
      const { stdout } = await run(process.execPath, flags, { cwd: ROOT, env })
      expect(stdout).not.toBe('')
      await rm(folder, { recursive: true })
      await rm(`${folder}-int4`, { recursive: true, force: true })
    })
  })

  test('server-client.mjs talks with a server', async () => {
    const main = join(ROOT, 'dist', 'cli', 'main.js')
    const server = spawn(process.execPath, [main, 'serve', '--port', '0'], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    try {
      env.ILLUMINATOR_URL = await readyUrl(server)
      const { stdout, stderr } = await example('server-client.mjs')
      expect(stdout).toContain('Paris')
      expect(stderr).toMatch(/\d+ tokens/)
    } finally {
      const ended = once(server, 'exit')
      server.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    }
  })
})

/** The JavaScript of a page, each under the page and its heading. */
function snippets(page: string): (readonly [string, string])[] {
  const sections = readFileSync(join(ROOT, page), 'utf8').split(/^## /m)
  return sections.flatMap((section) => {
    const heading = section.slice(0, section.indexOf('\n'))
    return [...section.matchAll(/```js\n(.*?)```/gs)].map(
      ([, code = '']) => [`${page}: ${heading}`, code] as const,
    )
  })
}

interface Summary {
  file: string
  summary: string
}

async function urlIn({ stdout }: ChildProcess): Promise<string> {
  if (!stdout) throw new Error('the server has no stdout')
  for await (const line of createInterface({ input: stdout })) {
    const url = /listening on (\S+)/.exec(line)?.[1]
    if (url) return url
  }
  throw new Error('the server ended before it listened')
}

/** The address that a server prints, once it prints that it is ready. */
async function readyUrl(server: ChildProcess): Promise<string> {
  if (!server.stdout) throw new Error('the server has no stdout')
  let url = ''
  for await (const line of createInterface({ input: server.stdout })) {
    url = /listens on (\S+)/.exec(line)?.[1] ?? url
    if (line.startsWith('Ready:')) return url
  }
  throw new Error('the server ended before it was ready')
}
