/**
 * The examples run as they stand, against the built package as `import … from 'illuminator'` finds it, with the default
 * model: from the models folder of this machine, else fetched once into `.cache/models` of this checkout.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { DEFAULT_MODEL, defaultModelsFolder, resolveModel } from '../engine/hub/index.ts'

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
