/**
 * One process at a time does a thing: a lock file. The holder touches it every few seconds, so a lock left by a process
 * that died is known by its age, or at once when the process was on this machine.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from './failures.ts'

const TOUCH_MS = 5_000
const STALE_MS = 60_000

/** Locks that this very process holds: a lock with our pid that is not among them is of a process that died. */
const held = new Set<string>()

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
  for (;;) {
    const release = await tryLock(path)
    if (typeof release === 'function') {
      try {
        return await work()
      } finally {
        await release()
      }
    }
    throwIfAborted(signal)
    await sleep(200)
  }
}

/** Takes the lock file `path`. @returns what gives it back, or the pid of the process that holds it */
export async function tryLock(path: string): Promise<(() => Promise<void>) | number> {
  const own = `${process.pid} ${hostname()} ${randomUUID()}`
  while (!(await create(path, own))) {
    const holder = await readFile(path, 'utf8').catch(() => null)
    if (holder === null) continue
    if (!(await isStale(path, holder))) return Number(holder.split(' ')[0])
    await removeStale(path, holder)
  }
  held.add(own)
  const touch = setInterval(() => {
    const now = new Date()
    // Failing to touch costs nothing but a shorter life of the lock.
    utimes(path, now, now).catch(() => {})
  }, TOUCH_MS)
  touch.unref()
  return async () => {
    clearInterval(touch)
    held.delete(own)
    // Another process may have taken it over while this one was suspended.
    if ((await readFile(path, 'utf8').catch(() => null)) === own) await rm(path, { force: true })
  }
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.write(content)
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}

async function isStale(path: string, holder: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  if (found === null) return false
  if (Date.now() - found.mtimeMs > STALE_MS) return true
  const [pid = '', host = ''] = holder.split(' ')
  if (host !== hostname()) return false
  return Number(pid) === process.pid ? !held.has(holder) : !isAlive(Number(pid))
}

/** Two may find it stale: moved aside first, it is looked at again, and put back where it was another's by then. */
async function removeStale(path: string, holder: string): Promise<void> {
  const aside = `${path}.${randomUUID()}.lock`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    if ((await readFile(aside, 'utf8')) !== holder) {
      await link(aside, path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
      })
    }
  } finally {
    await rm(aside, { force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
