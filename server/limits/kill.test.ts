/** Dying gives no new allowance: a server is killed with -9 and started again on the same folder. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { bearer, KEY } from '../../test/server-state.ts'
import type { CallerLimits } from '../auth/caller.ts'
import { Credentials } from '../auth/credentials.ts'
import { databaseFile } from '../store/data-folder.ts'
import { Database } from '../store/database.ts'

const ROOT = join(import.meta.dirname, '../..')
const running: ChildProcess[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map(kill))
})

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function start(data: string): Promise<{ url: string; child: ChildProcess }> {
  const args = ['--import', './test/run-typescript.mjs', 'test/fake-server.ts', data]
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(child)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { url: line.toString().trim(), child }
}

async function folderWithKey(limits: CallerLimits) {
  const data = mkdtempSync(join(tmpdir(), 'illuminator-kill-'))
  const database = await Database.open(databaseFile(data))
  const { secret } = await new Credentials(database).create({ ...KEY, limits })
  await database.closeWhenIdle()
  return { data, secret }
}

/** How many of so many pass; those that the kill cut off count as none. */
async function passing(url: string, secret: string, count: number): Promise<number> {
  const ask = async () => {
    try {
      const headers = bearer(secret)
      const body = JSON.stringify({ prompt: 'x', max_tokens: 1 })
      const response = await fetch(`${url}/generate`, { method: 'POST', headers, body })
      await response.text()
      return response.status
    } catch {
      return 0
    }
  }
  const statuses = await Promise.all(Array.from({ length: count }, ask))
  return statuses.filter((status) => status === 200).length
}

test('500 at once: 60 pass; after kill -9 and another start none', async () => {
  const { data, secret } = await folderWithKey({ requestsPerMinute: 60, tokensPerHour: null })
  const first = await start(data)
  expect(await passing(first.url, secret, 500)).toBe(60)
  await kill(first.child)
  const second = await start(data)
  expect(await passing(second.url, secret, 20)).toBe(0)
}, 90_000)

test('killed in the middle, twice: all lives together let 60 through and no more', async () => {
  // Each takes two tokens: its prompt and its answer.
  const { data, secret } = await folderWithKey({ requestsPerMinute: null, tokensPerHour: 120 })
  let passed = 0
  for (const after of [30, 60]) {
    const { url, child } = await start(data)
    const asking = passing(url, secret, 25)
    await new Promise((resolve) => setTimeout(resolve, after))
    await kill(child)
    passed += await asking
  }
  const last = await start(data)
  passed += await passing(last.url, secret, 100)
  expect(passed).toBeLessThanOrEqual(60)
  // What was counted and not answered is lost, and there were 50 before the last life.
  expect(passed).toBeGreaterThanOrEqual(10)
}, 90_000)
