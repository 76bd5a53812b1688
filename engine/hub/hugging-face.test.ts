/** Models from a hub on this machine: what is taken of them, how, and what is said when the hub lies or refuses. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Progress } from '../api.ts'
import { DownloadError } from './failures.ts'
import { commitOf, type FixtureHub, type Served, startHub } from './hub-fixture.ts'
import { downloadFromHub, type HubOptions } from './hugging-face.ts'

const text = (content: string) => new TextEncoder().encode(content)
const weights = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256)
const model = { id: 'owner/model', revision: undefined }

let hub: FixtureHub
let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'illuminator-hub-'))
  hub = await startHub({
    'config.json': { content: text('{"a":1}') },
    'tokenizer.json': { content: text('{"b":2}') },
    'README.md': { content: text('not wanted') },
    'pytorch_model.bin': { content: text('not wanted'), isLfs: true },
    'model.safetensors': { content: weights, isLfs: true },
  })
})
afterEach(async () => {
  await hub.close()
  await rm(folder, { recursive: true })
})

function download(changes: Partial<HubOptions> = {}, env: NodeJS.ProcessEnv = {}) {
  return downloadFromHub(model, folder, {
    env: { HF_ENDPOINT: hub.url, ...env },
    pauseMs: 5,
    ...changes,
  })
}
const change = (name: string, changes: Partial<Served>) => {
  const file = hub.files.get(name)
  if (file !== undefined) Object.assign(file, changes)
}
async function failure(work: Promise<unknown>): Promise<DownloadError> {
  const error = await work.catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(DownloadError)
  return error as DownloadError
}
const stored = () => readFile(join(folder, 'model.safetensors'))

/** The commit that the hub names, as the addresses of its files have it. */
const fileAt = (name: string) => `/owner/model/resolve/${commitOf(hub)}/${name}`

describe('a hub that works', () => {
  it('gives what is needed and nothing else, with progress', async () => {
    const seen: Progress[] = []
    await download({ onProgress: (progress) => seen.push(progress) })
    expect((await readdir(folder)).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ])
    expect((await stored()).equals(weights)).toBe(true)
    const last = seen.at(-1)
    expect(last).toMatchObject({ file: 'model.safetensors', done: 300_000, total: 300_000 })
    expect(last).toMatchObject({ phase: 'download', source: hub.url })
  })

  it('may list in pages, and takes the token and the revision', async () => {
    hub.pageSize = 2
    hub.token = 'secret'
    await downloadFromHub({ ...model, revision: 'refs/pr/1' }, folder, {
      env: { HF_ENDPOINT: `${hub.url}/`, HF_TOKEN: ' secret\n' },
    })
    expect(hub.requests[0]).toBe('/api/models/owner/model/revision/refs%2Fpr%2F1')
    expect(hub.requests).toContain(fileAt('model.safetensors'))
  })

  it('is asked for the commit first, so that a push in between mixes nothing', async () => {
    const before = commitOf(hub)
    change('config.json', { becomes: text('{"a":2}') })
    expect(await download()).toBe(before)
    const files = hub.requests.filter((line) => line.includes('/resolve/'))
    expect(files.every((line) => line.includes(before))).toBe(true)
    hub.hasNoCommits = true
    hub.requests.length = 0
    expect(await download()).toBe(null)
    expect(hub.requests).toContain('/owner/model/resolve/main/config.json')
  })

  it('takes only the shards that the index names, some at once', async () => {
    hub.files.delete('model.safetensors')
    const shards = Array.from({ length: 9 }, (_, i) => `part-${i}.safetensors`)
    const index = { weight_map: Object.fromEntries(shards.map((name, i) => [`t${i}`, name])) }
    hub.files.set('model.safetensors.index.json', { content: text(JSON.stringify(index)) })
    for (const name of [...shards, 'consolidated.safetensors']) {
      hub.files.set(name, { content: weights, isLfs: true, isHeld: true })
    }
    const work = download()
    await expect.poll(() => hub.most).toBe(4)
    for (const file of hub.files.values()) {
      file.isHeld = false
      file.release?.()
    }
    await work
    expect(await readdir(folder)).not.toContain('consolidated.safetensors')
    expect((await readFile(join(folder, 'part-8.safetensors'))).equals(weights)).toBe(true)
    expect(hub.most).toBe(4)
    hub.files.delete('part-2.safetensors')
    expect((await failure(download())).message).toMatch(/names part-2.safetensors, which it lacks/)
  })

  it('is asked for what is missing only', async () => {
    await download()
    const whole = hub.requests.length
    await download()
    expect(hub.requests.slice(whole).every((line) => line.startsWith('/api/'))).toBe(true)
  })

  it('and leads to another host gives that host no token', async () => {
    const other = await startHub({ 'model.safetensors': { content: weights, isLfs: true } })
    try {
      hub.token = 'secret'
      change('model.safetensors', { redirectsTo: other.url, cutAfter: 1000, cuts: 1 })
      Object.assign(other.files.get('model.safetensors') ?? {}, { cutAfter: 1000, cuts: 1 })
      await download({}, { HF_TOKEN: 'secret' })
      const path = fileAt('model.safetensors')
      expect(hub.headers.get(path)?.authorization).toBe('Bearer secret')
      expect(other.headers.get(path)).toBeDefined()
      expect(other.headers.get(path)?.authorization).toBeUndefined()
      expect(other.requests).toEqual([path, `${path} bytes=1000-`])
      expect((await stored()).equals(weights)).toBe(true)
    } finally {
      await other.close()
    }
  })
})

describe('a file that fails', () => {
  it('ends the others, and what came of them is kept', async () => {
    hub.files.delete('model.safetensors')
    const index = { weight_map: { a: 'a.safetensors', b: 'b.safetensors' } }
    hub.files.set('model.safetensors.index.json', { content: text(JSON.stringify(index)) })
    hub.files.set('a.safetensors', { content: weights, cutAfter: 1000, cuts: 1, hangs: true })
    hub.files.set('b.safetensors', { content: weights, status: 403, isHeld: true })
    const work = download({
      onProgress: (step) => {
        // `b` waits until some of `a` has come.
        if (step.phase !== 'download' || step.file !== 'a.safetensors' || step.done === 0) return
        hub.files.get('b.safetensors')?.release?.()
      },
    })
    expect((await failure(work)).status).toBe(403)
    expect((await readFile(join(folder, 'a.safetensors'))).length).toBe(1000)
  })

  it('because the hub has another by now is listed again, once', async () => {
    hub.hasNoCommits = true
    const later = weights.map((byte) => byte ^ 1)
    change('model.safetensors', { cutAfter: 100_000, cuts: 1, becomes: later })
    await download()
    expect((await stored()).equals(later)).toBe(true)
  })
})

describe('a hub that lies', () => {
  it.each([
    ['sha256', 'model.safetensors', 'a'.repeat(64)],
    ['git-sha1', 'config.json', 'b'.repeat(40)],
  ])('about the %s: the file is deleted', async (kind, name, statedHash) => {
    change(name, { statedHash })
    const { message } = await failure(download())
    expect(message).toContain(`has ${kind} `)
    expect(message).toContain(`the hub states ${statedHash}`)
    expect(await readdir(folder)).not.toContain(name)
  })

  it('with names that are paths: they are left out', async () => {
    hub.files.set('../evil.safetensors', { content: weights, isLfs: true })
    hub.files.set('sub/other.safetensors', { content: weights, isLfs: true })
    await download()
    expect((await readdir(folder)).length).toBe(3)
  })
})

describe('a hub that refuses', () => {
  const refuse = (status: number, reason?: string) => {
    hub.refusal = { status, ...(reason ? { headers: { 'x-error-code': reason } } : {}) }
  }

  it('without or with a wrong token says HF_TOKEN, and never the token', async () => {
    hub.token = 'secret'
    const without = await failure(download())
    expect(without.status).toBe(401)
    expect(without.message).toMatch(
      /owner\/model does not exist or is private: check the name, or set HF_TOKEN/,
    )
    const { message } = await failure(download({}, { HF_TOKEN: 'hf_wrong' }))
    expect(message).toMatch(/HF_TOKEN is no valid token there, or owner\/model does not exist/)
    expect(message).not.toContain('hf_wrong')
  })

  it.each([
    [401, 'GatedRepo', '', /is gated: accept its terms at http.*\/owner\/model, then set HF_TOKEN/],
    [403, 'GatedRepo', 'hf', /is gated, and the account of HF_TOKEN may not read it: accept its/],
    [403, undefined, 'hf', /the account of HF_TOKEN may not read owner\/model: accept its terms/],
    [404, 'RepoNotFound', '', /there is no owner\/model \(an example/],
    [404, 'RevisionNotFound', '', /owner\/model has no revision main/],
    [500, undefined, '', /the server answered 500/],
  ] as const)('with %i %s', async (status, reason, token, message) => {
    refuse(status, reason)
    expect((await failure(download({}, { HF_TOKEN: token }))).message).toMatch(message)
  })

  it('only the files, as it does for gated models, which everybody may list', async () => {
    const headers = { 'x-error-code': 'GatedRepo' }
    change('config.json', { status: 401, headers })
    expect((await failure(download())).message).toMatch(/answered 401: owner\/model is gated/)
  })

  it('for a while is asked again', async () => {
    hub.refusal = { status: 429, headers: { 'retry-after': '0' }, times: 2 }
    await download()
    expect(hub.requests[2]).toBe('/api/models/owner/model/revision/main')
    expect((await stored()).equals(weights)).toBe(true)
  })

  it('or has no safetensors, or no config, or nothing to check a file by', async () => {
    change('config.json', { isUnstated: true })
    expect((await failure(download())).message).toMatch(/lists config.json without a size and a/)
    change('config.json', { isUnstated: false })
    hub.files.delete('model.safetensors')
    expect((await failure(download())).message).toMatch(/only pytorch_model.bin/)
    hub.files.delete('config.json')
    expect((await failure(download())).message).toMatch(/has no config.json/)
  })

  it('or is not there at all, at once', async () => {
    await hub.close()
    expect((await failure(download())).message).toMatch(/no connection \(connect ECONNREFUSED/)
  })

  it('or is told to stop', async () => {
    const controller = new AbortController()
    const work = download({ signal: controller.signal, onProgress: () => controller.abort() })
    await expect(work).rejects.toMatchObject({ code: 'aborted' })
  })
})
