/** Several processes that want the same model: it is fetched once, also when the one that fetches it is killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type FixtureHub, startHub } from './hub-fixture.ts'

const HERE = import.meta.dirname
const LOADER = join(HERE, '../../test/run-typescript.mjs')
const SOURCE = `
import { resolveModel } from ${JSON.stringify(join(HERE, 'index.ts'))}
const { source } = await resolveModel('owner/model', { pauseMs: 5 })
process.stdout.write(source)`

const weights = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7) % 251)
const alive = new Set<ChildProcess>()
let root = ''
let hub: FixtureHub
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'illuminator-processes-'))
  hub = await startHub({
    'config.json': { content: new TextEncoder().encode('{}') },
    'model.safetensors': { content: weights, isLfs: true, isHeld: true },
  })
})
afterEach(async () => {
  for (const child of alive) child.kill('SIGKILL')
  alive.clear()
  await hub.close()
  await rm(root, { recursive: true })
})

function start(): { child: ChildProcess; source: Promise<string> } {
  const child = spawn(process.execPath, ['--import', LOADER, '--input-type=module', '-e', SOURCE], {
    env: { ...process.env, HF_ENDPOINT: hub.url, ILLUMINATOR_MODELS: root },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  alive.add(child)
  let text = ''
  child.stdout?.on('data', (data) => (text += data))
  return { child, source: once(child, 'close').then(() => text) }
}
const asked = () => hub.requests.filter((line) => line.includes('model.safetensors'))
/** The weights are being waited for. */
const underWay = () => expect.poll(asked, { timeout: 20_000 }).toHaveLength(1)

it('the second waits for the first and finds the model there', async () => {
  const both = [start(), start()]
  await underWay()
  hub.files.get('model.safetensors')?.release?.()
  const sources = await Promise.all(both.map(({ source }) => source))
  expect(sources.sort()).toEqual([`Hugging Face hub ${hub.url}`, `models folder ${root}`])
  expect(asked()).toHaveLength(1)
  expect(await readdir(join(root, 'owner'))).toEqual(['model'])
})

it('the second goes on where the first was killed', async () => {
  const file = hub.files.get('model.safetensors') ?? expect.fail('no such file')
  Object.assign(file, { cutAfter: 100_000, cuts: 1, hangs: true, isHeld: false })
  const first = start()
  const partial = join(root, 'owner/model.hub.partial/model.safetensors')
  const size = async () => (await readFile(partial).catch(() => '')).length
  await expect.poll(size, { timeout: 20_000 }).toBe(100_000)
  const second = start()
  first.child.kill('SIGKILL')
  expect(await second.source).toBe(`Hugging Face hub ${hub.url}`)
  expect(asked()[1]).toMatch(/ bytes=100000-$/)
  expect((await readFile(join(root, 'owner/model/model.safetensors'))).equals(weights)).toBe(true)
  expect(await readdir(join(root, 'owner'))).toEqual(['model'])
})
