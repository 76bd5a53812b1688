/** A folder for a new model: it appears under its name when it is whole, and takes the place of nothing unasked. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { EngineError } from './errors.ts'
import { withLock } from './hub/index.ts'

export interface NewFolderOptions {
  /** Replace a model that is there. */
  readonly force: boolean
  readonly signal?: AbortSignal | undefined
  /** The model that the new one is made from, where that is a folder. */
  readonly source?: string
}

/**
 * @param fill writes into the folder that it is given
 * @throws EngineError('bad_request') where `folder` is no place for a model; what `fill` throws
 */
export async function newFolder<T>(
  folder: string,
  { force, signal, source }: NewFolderOptions,
  fill: (partial: string) => Promise<T>,
): Promise<T> {
  await checkTarget(folder, source, force)
  return await withLock(`${folder}.lock`, signal, async () => {
    const partial = `${folder}.partial`
    await rm(partial, { recursive: true, force: true })
    await mkdir(partial, { recursive: true })
    try {
      const result = await fill(partial)
      await putInPlace(partial, folder)
      return result
    } catch (error) {
      throw ofDisk(error, folder)
    } finally {
      await rm(partial, { recursive: true, force: true })
    }
  })
}

/** What the disk says (no room, no permission), with what to do about it. */
function ofDisk(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error
  const message = `${folder} cannot be written (${error.message}). Make room, or name another folder.`
  return new EngineError('bad_request', message, { param: 'target', cause: error })
}

/** Throws EngineError('bad_request') unless the folder may be made, or replaced. */
async function checkTarget(
  folder: string,
  source: string | undefined,
  force: boolean,
): Promise<void> {
  const refuse = (why: string): EngineError =>
    new EngineError('bad_request', `${folder} ${why}`, { param: 'target' })
  if (source !== undefined && folder === resolve(source)) {
    throw refuse('is the model itself; name another folder.')
  }
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return []
    throw refuse(`cannot be used (${error.code}); name another folder.`)
  })
  if (names.length === 0) return
  if (!names.includes('config.json')) {
    throw refuse('is a folder with something other than a model in it; name another one.')
  }
  if (!force)
    throw refuse('is there already; name another folder, or replace it with force (--force).')
}

async function putInPlace(partial: string, folder: string): Promise<void> {
  // Renamed first, so that a half-removed folder is never taken for a model.
  const doomed = `${folder}.removing`
  await rm(doomed, { recursive: true, force: true })
  await rename(folder, doomed).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  await rename(partial, folder)
  await rm(doomed, { recursive: true, force: true })
}
