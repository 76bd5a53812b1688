/** One file from a server that drops connections, lies, is busy, or changes the file meanwhile; and a disk that is full. */
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type DownloadOptions, downloadFile } from './download.ts'
import { DownloadError, retryAfterMs } from './failures.ts'
import { type Served, sha256 } from './file-fixture.ts'
import { type FixtureHub, startHub } from './hub-fixture.ts'

const NAME = 'model.safetensors'
const PATH = `/owner/model/resolve/main/${NAME}`
const bytes = (seed: number) => Uint8Array.from({ length: 300_000 }, (_, i) => (i * seed) % 251)
const weights = bytes(7)

let hub: FixtureHub
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'illuminator-download-'))
  hub = await startHub({ [NAME]: { content: weights, isLfs: true } })
})
afterEach(async () => {
  await hub.close()
  await rm(folder, { recursive: true })
})

const change = (changes: Partial<Served>) => {
  Object.assign(hub.files.get(NAME) ?? expect.fail('no such file'), changes)
}
const download = (options: Partial<DownloadOptions> = {}, content = weights, size?: number) =>
  downloadFile(
    `${hub.url}${PATH}`,
    join(folder, NAME),
    { bytes: size ?? content.length, hash: { kind: 'sha256', hex: sha256(content) } },
    { headers: {}, pauseMs: 5, ...options },
  )
async function failure(work: Promise<unknown>): Promise<DownloadError> {
  const error = await work.catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(DownloadError)
  return error as DownloadError
}
/** The file is there, whole, and nothing else is left beside it. */
async function expectWhole(content = weights): Promise<void> {
  expect((await readFile(join(folder, NAME))).equals(content)).toBe(true)
  expect(await readdir(folder)).toEqual([NAME])
}
const ranges = () => hub.requests.filter((line) => line.includes('bytes='))

describe('a connection that drops', () => {
  it('is taken up where it ended, if the content is still the same', async () => {
    change({ cutAfter: 100_000, cuts: 2 })
    await download()
    await expectWhole()
    expect(ranges()).toEqual([`${PATH} bytes=100000-`, `${PATH} bytes=200000-`])
    expect(hub.headers.get(PATH)?.['if-range']).toBe(`"${sha256(weights)}"`)
  })

  it('for good ends in an error, and the next run goes on from there', async () => {
    change({ cutAfter: 1000, cuts: 1 })
    // What came once counts anew: five more tries bring nothing.
    const cut = download({
      onBytes: (done) => done > 0 && change({ cutAfter: 0, cuts: 99 }),
    })
    expect((await failure(cut)).message).toMatch(
      /failed 5 times in a row \(.*\); 1000 of 300000 bytes are kept/,
    )
    change({ cuts: 0 })
    hub.requests.length = 0
    await download()
    expect(hub.requests).toEqual([`${PATH} bytes=1000-`])
    await expectWhole()
  })

  it('that hangs is dropped and taken up', async () => {
    change({ cutAfter: 5000, cuts: 1, hangs: true })
    await download({ stallMs: 150 })
    expect(hub.requests.at(-1)).toBe(`${PATH} bytes=5000-`)
    await expectWhole()
  })

  it.each([
    ['without ranges', { ignoresRange: true }],
    ['without validators', { hasNoEtag: true }],
    ['without lengths', { hidesLength: true }],
  ])('is taken up by servers %s too', async (_, kind) => {
    change({ ...kind, cutAfter: 100_000, cuts: 1 })
    await download()
    await expectWhole()
    expect(ranges()).toHaveLength(1)
  })
})

it('what a hop has packed on its way is unpacked, and checked like all else', async () => {
  change({ isPacked: true })
  await download()
  await expectWhole()
})

describe('a file that was changed between two tries', () => {
  const later = bytes(11)

  it('comes anew: the server sees by If-Range that the beginning is of another', async () => {
    change({ cutAfter: 100_000, cuts: 1, becomes: later })
    await failure(download({}, weights))
    hub.requests.length = 0
    await download({}, later)
    await expectWhole(later)
    expect(ranges()).toEqual([])
  })

  it('is seen in the answer where the server heeds no If-Range', async () => {
    change({ cutAfter: 100_000, cuts: 1, becomes: later, ignoresIfRange: true })
    await download({}, later).catch(() => expect.fail('the second try should have been whole'))
    await expectWhole(later)
    expect(hub.requests).toEqual([PATH, `${PATH} bytes=100000-`, PATH])
  })

  it('or has become shorter is asked for again from its beginning', async () => {
    const short = later.subarray(0, 50_000)
    change({ cutAfter: 100_000, cuts: 1, becomes: short, hasNoEtag: true })
    const { message } = await failure(download())
    expect(message).toMatch(/the server has 50000 bytes, the hub states 300000/)
    expect(hub.requests).toEqual([PATH, `${PATH} bytes=100000-`, PATH])
  })

  it('is never continued with the bytes of another version, across runs', async () => {
    change({ cutAfter: 100_000, cuts: 99, hidesLength: true })
    await failure(download({ tries: 1 }))
    change({ cuts: 0, content: later })
    hub.requests.length = 0
    await download({}, later)
    expect(hub.requests).toEqual([PATH])
    await expectWhole(later)
  })

  it('and bytes of which nothing is known are not taken for a beginning', async () => {
    await writeFile(join(folder, NAME), weights.subarray(0, 1000))
    await download()
    expect(hub.requests).toEqual([PATH])
    await writeFile(join(folder, NAME), weights.with(0, 1))
    await download()
    await expectWhole()
  })
})

describe('a server that lies', () => {
  it('about the hash: the file is deleted', async () => {
    const { message } = await failure(download({}, weights.with(5, 0)))
    expect(message).toContain(`has sha256 ${sha256(weights)}, the hub states`)
    expect(await readdir(folder)).toEqual([])
  })

  it('about the length is found out by the first answer, or by what comes', async () => {
    expect((await failure(download({}, weights, 200_000))).message).toMatch(
      /the server has 300000 bytes, the hub states 200000/,
    )
    change({ hidesLength: true })
    expect((await failure(download({}, weights, 200_000))).message).toMatch(
      /more than the 200000 bytes/,
    )
    expect((await failure(download({}, weights, 400_000))).message).toMatch(
      /failed 5 times in a row \((ended after 300000 of 400000 bytes|asked to go on from byte 300000.*)\)/,
    )
  })
})

describe('a busy server', () => {
  it.each([429, 503, 502, 408])('that answers %i is asked again', async (status) => {
    change({ status, statuses: 2 })
    await download()
    await expectWhole()
  })

  it('is asked again when it says so, and whoever watches hears why', async () => {
    change({ status: 429, statuses: 1, headers: { 'retry-after': '1' } })
    const waits: number[] = []
    await download({ onWait: (milliseconds) => waits.push(milliseconds) })
    expect(waits).toEqual([1000])
    expect(hub.requests).toHaveLength(2)
  })

  it('that wants more time than a person would wait is an error that says how much', async () => {
    change({ status: 503, headers: { 'retry-after': '7200' } })
    expect((await failure(download())).message).toMatch(/busy and asks to wait 120 minutes/)
    expect(hub.requests).toHaveLength(1)
  })

  it('says so in seconds or as a date', () => {
    const now = Date.parse('2026-11-26T10:00:00Z')
    expect(retryAfterMs('3', now)).toBe(3000)
    expect(retryAfterMs('Thu, 26 Nov 2026 10:00:30 GMT', now)).toBe(30_000)
    for (const nothing of [null, '', 'soon', '-5', 'Thu, 26 Nov 2020 10:00:00 GMT']) {
      expect(retryAfterMs(nothing, now)).toBe(0)
    }
  })

  it('is not waited for by who was told to stop', async () => {
    change({ status: 503, headers: { 'retry-after': '60' } })
    const controller = new AbortController()
    const work = download({ signal: controller.signal, onWait: () => controller.abort() })
    await expect(work).rejects.toMatchObject({ code: 'aborted' })
    expect(hub.requests).toHaveLength(1)
  })
})

describe('a disk', () => {
  it.runIf(existsSync('/dev/full'))(
    'that is full ends it at once, with its own error',
    async () => {
      await symlink('/dev/full', join(folder, NAME))
      await expect(download()).rejects.toMatchObject({ code: 'ENOSPC', syscall: 'write' })
      expect(hub.requests).toHaveLength(1)
    },
  )
})
