/** A lock file between processes: one holds it, and what died with its process is taken over by exactly one. */
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { tryLock, withLock } from './lock.ts'

let folder = ''
let path = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'illuminator-lock-'))
  path = join(folder, 'a.lock')
})
afterEach(() => rm(folder, { recursive: true }))

const taken = async (): Promise<() => Promise<void>> => {
  const release = await tryLock(path)
  return typeof release === 'function' ? release : expect.fail(`held by ${release}`)
}

it('is held by one, who is named to the others, and given back', async () => {
  const release = await taken()
  expect(await tryLock(path)).toBe(process.pid)
  await release()
  expect(await readdir(folder)).toEqual([])
  await (await taken())()
})

it.each([
  ['whose process is gone', `999999999 ${hostname()} x`],
  ['with our own pid, which we do not hold: of a container that was started again', null],
])('%s is taken over at once', async (_, content) => {
  await writeFile(path, content ?? `${process.pid} ${hostname()} x`)
  await (await taken())()
  expect(await readdir(folder)).toEqual([])
})

it('of another machine is taken over when nobody has touched it for a minute', async () => {
  await writeFile(path, '1 elsewhere x')
  expect(await tryLock(path)).toBe(1)
  const long = new Date(Date.now() - 61_000)
  await utimes(path, long, long)
  await (await taken())()
})

it('that many find stale is given to one of them at a time', async () => {
  await writeFile(path, `999999999 ${hostname()} x`)
  let inside = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++inside)
    await new Promise((resolve) => setImmediate(resolve))
    inside--
  }
  await Promise.all(Array.from({ length: 8 }, () => withLock(path, undefined, work)))
  expect(most).toBe(1)
  expect(await readdir(folder)).toEqual([])
})

it('that was taken over meanwhile is not given back by who held it before', async () => {
  const release = await taken()
  await writeFile(path, '1 elsewhere y')
  await release()
  expect(await readFile(path, 'utf8')).toBe('1 elsewhere y')
})

it('is not waited for by who was told to stop', async () => {
  const release = await taken()
  const controller = new AbortController()
  const waiting = withLock(path, controller.signal, () => expect.fail('it is held'))
  controller.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' })
  await release()
})
