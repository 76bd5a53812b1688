/** The shared folder is found through the environment, and a wrong path is refused instead of skipping tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { sharedFolder } from './shared-folder.ts'

it('takes the folder that ILLUMINATOR_SHARED names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shared-'))
  try {
    expect(sharedFolder({ ILLUMINATOR_SHARED: folder })).toBe(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it('refuses a named folder that does not exist', () => {
  expect(() => sharedFolder({ ILLUMINATOR_SHARED: '/nowhere/at/all' })).toThrow(/no folder/)
})
