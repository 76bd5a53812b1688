/**
 * One process at a time fetches a model: a lock file beside its folder. The holder touches it every few seconds, so a
 * lock left by a process that died is known by its age, or at once when the process was on this machine.
 */
import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from './download.ts'

const TOUCH_MS = 5_000
const STALE_MS = 60_000

/**
 * Runs `work` while holding the lock file `path`; waits while another process (or another call) holds it.
 *
 * @throws EngineError('aborted') when `signal` fires while waiting
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true })
  while (!(await take(path))) {
    throwIfAborted(signal)
    await sleep(200)
  }
  const touch = setInterval(() => {
    const now = new Date()
    // Failing to touch costs nothing but a shorter life of the lock.
    utimes(path, now, now).catch(() => {})
  }, TOUCH_MS)
  touch.unref()
  try {
    return await work()
  } finally {
    clearInterval(touch)
    await rm(path, { force: true })
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.write(`${process.pid} ${hostname()}`)
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  if (await isStale(path)) await rm(path, { force: true })
  return false
}

async function isStale(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  if (found === null) return false
  if (Date.now() - found.mtimeMs > STALE_MS) return true
  const [pid = '', host = ''] = (await readFile(path, 'utf8').catch(() => '')).split(' ')
  return host === hostname() && !isAlive(Number(pid))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
