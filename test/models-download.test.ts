/** `illuminator models` from end to end: a hub on this machine, the models folder, and what is printed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { commitOf, type FixtureHub, startHub } from '../engine/hub/hub-fixture.ts'
import { run } from './cli-terminal.ts'

const parts = { hub: () => import('../engine/hub/index.ts') }

let hub: FixtureHub
let models = ''
beforeEach(async () => {
  models = mkdtempSync(join(tmpdir(), 'illuminator-models-'))
  const config = JSON.stringify({ architectures: ['LlamaForCausalLM'], torch_dtype: 'bfloat16' })
  hub = await startHub({
    'config.json': { content: new TextEncoder().encode(config) },
    'pytorch_model.bin': { content: new Uint8Array(10), isLfs: true },
    'model.safetensors': { content: new Uint8Array(2_000_000), isLfs: true },
  })
  vi.stubEnv('HF_ENDPOINT', hub.url)
  vi.stubEnv('ILLUMINATOR_MODELS', models)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await hub.close()
  rmSync(models, { recursive: true })
})

test('a model is downloaded, listed, told of and removed', async () => {
  const downloaded = await run(['models', 'download', 'owner/model@v1', '--json'], { parts })
  expect(downloaded.code).toBe(0)
  const folder = join(models, 'owner', 'model@v1')
  const facts = { revision: 'v1', commit: commitOf(hub), source: `Hugging Face hub ${hub.url}` }
  expect(JSON.parse(downloaded.stdout)).toEqual({ id: 'owner/model', folder, ...facts })
  expect(downloaded.stderr).toMatch(/Downloading model.safetensors: 100% of 2.0 MB\n/)
  expect((await readdir(folder)).sort()).toEqual([
    'config.json',
    'illuminator.json',
    'model.safetensors',
  ])
  const [listed] = JSON.parse((await run(['models', 'list', '--json'], { parts })).stdout)
  expect(listed).toMatchObject({ id: 'owner/model@v1', weights: 'bf16' })
  const info = await run(['models', 'info', 'owner/model@v1', '--json'], { parts })
  expect(JSON.parse(info.stdout)).toMatchObject({ architecture: 'LlamaForCausalLM', ...facts })
  const removed = await run(['models', 'remove', 'owner/model@v1', '--json'], { parts })
  expect(JSON.parse(removed.stdout)).toMatchObject({ folder })
  expect(await readdir(join(models, 'owner'))).toEqual([])
})

test('what fails is one line that says what to do, and the next run goes on', async () => {
  const file = hub.files.get('model.safetensors') ?? expect.fail('no such file')
  Object.assign(file, { status: 401, headers: { 'x-error-code': 'GatedRepo' } })
  const refused = await run(['models', 'download', 'owner/model'], { parts })
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(
    /illuminator: The model "owner\/model" could not.* owner\/model is gated: accept its terms at /,
  )
  Object.assign(file, { status: undefined })
  hub.requests.length = 0
  expect((await run(['models', 'download', 'owner/model'], { parts })).code).toBe(0)
  expect(hub.requests.filter((line) => line.includes('config.json'))).toEqual([])
})
