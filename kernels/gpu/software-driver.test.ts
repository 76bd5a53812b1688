/** Fetching SwiftShader goes wrong in every way it can, without a network: wrong bytes, no npm, no room, half done. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  cacheFolder,
  ensureSwiftShader,
  readTarEntry,
  swiftShaderFolder,
  swiftShaderUnsupported,
} from './software-driver.ts'

let cache: string
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'cache-'))
})
afterEach(() => {
  rmSync(cache, { recursive: true, force: true })
})

/** A source whose tarball is `bytes`. */
const giving = (bytes: string, folder = cache) => ({
  cache: folder,
  fetch: async (into: string) => {
    writeFileSync(join(into, 'package.tgz'), bytes)
    return join(into, 'package.tgz')
  },
})

describe.skipIf(swiftShaderUnsupported())('ensureSwiftShader [needs Linux x64]', () => {
  it('refuses a tarball that is not the pinned one and leaves nothing behind', async () => {
    const error = ensureSwiftShader(undefined, giving('altered'))
    await expect(error).rejects.toThrow(/has the hash .* expected .*mirror altered it/)
    expect(readdirSync(cache)).toEqual([])
  })

  it('makes a damaged driver anew instead of loading it', async () => {
    const folder = swiftShaderFolder(cache)
    mkdirSync(folder)
    writeFileSync(join(folder, 'libvk_swiftshader.so'), 'half of it')
    await expect(ensureSwiftShader(undefined, giving('altered'))).rejects.toThrow(/has the hash/)
    expect(existsSync(folder)).toBe(false)
  })

  it('says what to do without npm', async () => {
    const { PATH } = process.env
    process.env.PATH = cache
    process.env.ILLUMINATOR_CACHE = cache
    try {
      await expect(ensureSwiftShader()).rejects.toThrow(/no "npm" on the PATH/)
    } finally {
      process.env.PATH = PATH
      delete process.env.ILLUMINATOR_CACHE
    }
  })

  it('quotes npm when it fails', async () => {
    const { PATH } = process.env
    writeFileSync(join(cache, 'npm'), '#!/bin/sh\necho "npm error code E404" >&2\nexit 1\n', {
      mode: 0o755,
    })
    process.env.PATH = `${cache}:${PATH}`
    process.env.ILLUMINATOR_CACHE = join(cache, 'new')
    try {
      await expect(ensureSwiftShader()).rejects.toThrow(/npm error code E404.*registry/)
    } finally {
      process.env.PATH = PATH
      delete process.env.ILLUMINATOR_CACHE
    }
  })
})

it('the cache folder follows the environment', () => {
  expect(cacheFolder({ ILLUMINATOR_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a')
  expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe('/b/illuminator')
  expect(cacheFolder({})).toMatch(/\.cache.illuminator$/)
})

it('other platforms are told so', () => {
  expect(swiftShaderUnsupported('linux', 'x64')).toBeNull()
  expect(swiftShaderUnsupported('linux', 'arm64')).toMatch(
    /Linux x64 only, this is linux arm64.*mesa/,
  )
})

it('reads a file out of a tar archive', () => {
  writeFileSync(join(cache, 'first'), 'x'.repeat(700))
  writeFileSync(join(cache, 'second'), 'found')
  const archive = execFileSync('tar', ['-c', '-C', cache, './first', './second'])
  expect(readTarEntry(archive, 'second').toString()).toBe('found')
  expect(readTarEntry(archive, 'first').length).toBe(700)
  expect(() => readTarEntry(archive, 'third')).toThrow(/holds no third/)
})
