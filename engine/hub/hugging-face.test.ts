/** Downloads from a hub on this machine that drops connections, lies, and refuses. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Progress } from '../api.ts'
import { DownloadError, downloadFile } from './download.ts'
import { type FixtureHub, type Served, startHub } from './hub-fixture.ts'
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
      env: { HF_ENDPOINT: `${hub.url}/`, HF_TOKEN: 'secret' },
    })
    expect(hub.requests).toContain('/owner/model/resolve/refs%2Fpr%2F1/model.safetensors')
  })

  it('takes only the shards that the index names', async () => {
    hub.files.delete('model.safetensors')
    const index = { weight_map: { a: 'part-1.safetensors', b: 'part-2.safetensors' } }
    hub.files.set('model.safetensors.index.json', { content: text(JSON.stringify(index)) })
    for (const name of ['part-1', 'part-2', 'consolidated']) {
      hub.files.set(`${name}.safetensors`, { content: text(name), isLfs: true })
    }
    await download()
    expect(await readdir(folder)).not.toContain('consolidated.safetensors')
    expect(await readFile(join(folder, 'part-2.safetensors'), 'utf8')).toBe('part-2')
    hub.files.delete('part-2.safetensors')
    expect((await failure(download())).message).toMatch(/names part-2.safetensors, which it lacks/)
  })
})

describe('a connection that drops', () => {
  it('is taken up where it ended', async () => {
    change('model.safetensors', { cutAfter: 100_000, cuts: 2 })
    await download()
    expect((await stored()).equals(weights)).toBe(true)
    const ranges = hub.requests.filter((line) => line.includes('bytes='))
    expect(ranges.length).toBe(2)
  })

  it('for good ends in an error, and the next run goes on from there', async () => {
    change('model.safetensors', { cutAfter: 0, cuts: 99 })
    expect((await failure(download())).message).toMatch(/failed 5 times in a row/)
    change('model.safetensors', { cuts: 0 })
    await writeFile(join(folder, 'model.safetensors'), weights.subarray(0, 1000))
    hub.requests.length = 0
    await download()
    expect(hub.requests).toContain('/owner/model/resolve/main/model.safetensors bytes=1000-')
    expect((await stored()).equals(weights)).toBe(true)
  })

  it('is not fetched again when whole, but is when it is of another version', async () => {
    await download()
    hub.requests.length = 0
    await download()
    expect(hub.requests.length).toBe(1)
    await writeFile(join(folder, 'model.safetensors'), weights.with(0, 1))
    await download()
    expect((await stored()).equals(weights)).toBe(true)
  })

  it('is taken up by servers without ranges too', async () => {
    change('model.safetensors', { ignoresRange: true, cutAfter: 100_000, cuts: 1 })
    await download()
    expect((await stored()).equals(weights)).toBe(true)
  })

  it('that hangs is dropped and taken up', async () => {
    change('model.safetensors', { cutAfter: 5000, cuts: 1, hangs: true })
    const hex = createHash('sha256').update(weights).digest('hex')
    const path = join(folder, 'model.safetensors')
    await downloadFile(
      `${hub.url}/owner/model/resolve/main/model.safetensors`,
      path,
      { bytes: weights.length, hash: { kind: 'sha256', hex } },
      { headers: {}, pauseMs: 5, stallMs: 150 },
    )
    expect(hub.requests.at(-1)).toMatch(/bytes=5000-$/)
  })

  it('or a busy server is asked again', async () => {
    change('model.safetensors', { status: 503, statuses: 2 })
    await download()
    expect((await stored()).equals(weights)).toBe(true)
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

  it('about the length: more is cut off, less is an error', async () => {
    change('model.safetensors', { statedBytes: 200_000 })
    expect((await failure(download())).message).toMatch(/more than the 200000 bytes/)
    change('model.safetensors', { statedBytes: 400_000 })
    expect((await failure(download())).message).toMatch(/300000 of 400000 bytes are kept/)
  })

  it('with names that are paths: they are left out', async () => {
    hub.files.set('../evil.safetensors', { content: weights, isLfs: true })
    hub.files.set('sub/other.safetensors', { content: weights, isLfs: true })
    await download()
    expect((await readdir(folder)).length).toBe(3)
  })
})

describe('a hub that refuses', () => {
  it('without or with a wrong token says HF_TOKEN', async () => {
    hub.token = 'secret'
    const error = await failure(download({}, { HF_TOKEN: 'wrong' }))
    expect(error.status).toBe(401)
    expect(error.message).toMatch(/private: check the name, or set HF_TOKEN/)
    expect(error.message).not.toContain('wrong')
  })

  it.each([
    [403, /accept the model's terms/],
    [404, /there is no owner\/model/],
    [500, /answered 500/],
  ])('with %i', async (status, message) => {
    hub.listStatus = status
    expect((await failure(download())).message).toMatch(message)
  })

  it('or has no safetensors, or no config', async () => {
    hub.files.delete('model.safetensors')
    expect((await failure(download())).message).toMatch(/only pytorch_model.bin/)
    hub.files.delete('config.json')
    expect((await failure(download())).message).toMatch(/has no config.json/)
  })

  it('or is not there at all, at once', async () => {
    await hub.close()
    const start = performance.now()
    expect((await failure(download())).message).toMatch(/no connection \(connect ECONNREFUSED/)
    expect(performance.now() - start).toBeLessThan(5000)
  })

  it('or is told to stop', async () => {
    const controller = new AbortController()
    const work = download({ signal: controller.signal, onProgress: () => controller.abort() })
    await expect(work).rejects.toMatchObject({ code: 'aborted' })
  })
})
